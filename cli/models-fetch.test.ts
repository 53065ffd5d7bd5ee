import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fetchModel, type FetchRequest, type Progress } from './models-fetch.ts';

const modelOf = (seed: number, length = 300_000) =>
  Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(length, seed)]);
const sumOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

let folder: string;
let file: string;
let server: Server;
let url: string;
/** What the server has, and what it does with each connection from the first on; the last holds for the rest. */
let content: Buffer;
let etag: string;
let manners: ((request: IncomingMessage, response: ServerResponse) => void)[];
let asked: IncomingMessage['headers'][];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-pull-'));
  file = join(folder, 'models', 'm.gguf');
  content = modelOf(7);
  etag = '"one"';
  manners = [serve];
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.headers);
    const manner = manners.length > 1 ? manners.shift()! : manners[0]!;
    manner(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/m.gguf`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

/** As a server of files does it: ranges, and If-Range. */
function serve(request: IncomingMessage, response: ServerResponse, upTo = content.length): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const isSame = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
  const from = isSame ? start : 0;
  if (from >= content.length && from > 0) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  response.writeHead(from > 0 ? 206 : 200, {
    etag,
    'content-length': content.length - from,
    ...(from > 0 && { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
  });
  response.write(content.subarray(from, upTo));
  if (upTo >= content.length) response.end();
}

/** Hangs up after so many bytes of the file, once some of them have come. */
const cutAt = (upTo: number) => (request: IncomingMessage, response: ServerResponse) => {
  const sizeOfPart = () => statSync(`${file}.part`, { throwIfNoEntry: false })?.size ?? 0;
  const before = sizeOfPart();
  serve(request, response, upTo);
  const looking = setInterval(() => {
    if (sizeOfPart() <= before) return;
    clearInterval(looking);
    response.destroy();
  }, 5);
};
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (_: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(code, headers).end();

const pull = (more: Partial<FetchRequest> = {}) =>
  fetchModel({ url, file, signal: new AbortController().signal, pauseMs: 1, ...more });

test('pull: a whole file comes under its name, with its sum and its origin beside it, and leaves nothing else', async () => {
  const seen: Progress[] = [];
  const fetched = await pull({ onProgress: (progress) => seen.push(progress) });
  expect(fetched).toEqual({
    file,
    bytes: content.length,
    sha256: sumOf(content),
    isVerified: false,
    resumedFromBytes: 0,
  });
  expect(readFileSync(file).equals(content)).toBe(true);
  expect(readdirSync(join(folder, 'models'))).toEqual(['m.gguf', 'm.gguf.json']);
  expect(JSON.parse(readFileSync(`${file}.json`, 'utf8'))).toEqual({
    url,
    sha256: sumOf(content),
    isVerified: false,
  });
  expect(seen[0]).toEqual({ bytes: 0, totalBytes: content.length });
  expect(seen.at(-1)).toEqual({ bytes: content.length, totalBytes: content.length });
});

test('pull: a connection that is cut is gone on with, and nothing is asked for twice', async () => {
  manners = [cutAt(100_000), cutAt(200_000), serve];
  expect((await pull({ sha256: sumOf(content) })).isVerified).toBe(true);
  expect(readFileSync(file).equals(content)).toBe(true);
  const ranges = asked.map((headers) => Number(/\d+/.exec(headers.range ?? '0')![0]));
  expect(ranges[0]).toBe(0);
  expect(ranges[1]).toBeGreaterThan(0);
  expect(ranges[2]).toBeGreaterThan(ranges[1]!);
});

test('pull: a later command goes on where an earlier one ended', async () => {
  manners = [cutAt(100_000), status(503)];
  await expect(pull({ mostTries: 2 })).rejects.toThrow(/does not give the file: the server answers 503/);
  expect(existsSync(file)).toBe(false);
  manners = [serve];
  const fetched = await pull();
  expect(fetched.resumedFromBytes).toBeGreaterThan(0);
  expect(readFileSync(file).equals(content)).toBe(true);
});

test('pull: a file that has changed since is taken anew, not glued to the old beginning', async () => {
  manners = [cutAt(100_000), status(503)];
  await expect(pull({ mostTries: 1 })).rejects.toThrow();
  content = modelOf(9, 250_000);
  etag = '"two"';
  manners = [serve];
  await pull();
  expect(readFileSync(file).equals(content)).toBe(true);
});

test('pull: a file that was whole but not yet named is not fetched again', async () => {
  manners = [cutAt(100_000), status(503)];
  await expect(pull({ mostTries: 1 })).rejects.toThrow();
  writeFileSync(`${file}.part`, content);
  manners = [serve];
  expect((await pull()).resumedFromBytes).toBe(content.length);
  expect(readFileSync(file).equals(content)).toBe(true);
});

test('pull: another sum than was given, or than the server tells, throws the file away', async () => {
  await expect(pull({ sha256: 'a'.repeat(64) })).rejects.toThrow(/not the file that was meant/);
  expect(readdirSync(join(folder, 'models'))).toEqual([]);
  const elsewhere = { location: '/elsewhere', 'x-linked-etag': `"${'b'.repeat(64)}"` };
  manners = [status(302, elsewhere), serve];
  await expect(pull()).rejects.toThrow(/b{64} was told by the server/);
  manners = [status(302, { ...elsewhere, 'x-linked-etag': `"${sumOf(content)}"` }), serve];
  expect(await pull()).toMatchObject({ isVerified: true });
});

test('pull: what is there already is not fetched, and is checked where a sum is given', async () => {
  await pull();
  const count = asked.length;
  expect(await pull({ sha256: sumOf(content) })).toMatchObject({ isVerified: true });
  await expect(pull({ sha256: 'a'.repeat(64) })).rejects.toThrow(/is there already, and its SHA-256 is/);
  expect(await pull({ url: `${url}?key=of-today` })).toMatchObject({
    isVerified: true,
    resumedFromBytes: undefined,
  });
  expect(readFileSync(`${file}.json`, 'utf8')).not.toContain('of-today');
  expect(asked.length).toBe(count);
  writeFileSync(file, modelOf(8));
  await expect(pull()).rejects.toThrow(/is there already, and its SHA-256 is .*, not/);
});

test('pull: another file of the same name is not taken for the one that is meant', async () => {
  await pull();
  const other = url.replace('/m.gguf', '/other/m.gguf');
  await expect(pull({ url: other })).rejects.toMatchObject({
    message: expect.stringContaining(`m.gguf is there already, and came from ${url}`),
    mend: expect.stringContaining('--to DIR'),
  });
  // Who gives the sum has said which file is meant.
  expect(await pull({ url: other, sha256: sumOf(content) })).toMatchObject({ isVerified: true });
});

test('pull: of a file that somebody else put there the server is asked what it has', async () => {
  await pull();
  const there = content;
  rmSync(`${file}.json`);
  expect(await pull()).toMatchObject({ isVerified: false, resumedFromBytes: undefined });
  content = modelOf(9, 1000);
  await expect(pull()).rejects.toThrow(/with 300004 bytes, and the one that is meant has 1004/);
  const summed = (bytes: Buffer) =>
    status(302, { location: '/elsewhere', 'x-linked-etag': `"${sumOf(bytes)}"` });
  manners = [summed(modelOf(9)), serve];
  await expect(pull()).rejects.toThrow(/is there already, and its SHA-256 is/);
  manners = [summed(there), serve];
  expect(await pull()).toMatchObject({ isVerified: true, resumedFromBytes: undefined });
  expect(existsSync(`${file}.json`)).toBe(true);
  rmSync(`${file}.json`);
  await expect(pull({ url: 'http://127.0.0.1:1/m.gguf' })).rejects.toThrow(/does not give the file/);
});

test.each([
  [404, /there is no such file/],
  [401, /without an account/],
  [400, /answers 400/],
])('pull: %i is not tried again', async (code, says) => {
  manners = [status(code)];
  await expect(pull()).rejects.toThrow(says);
  expect(asked).toHaveLength(1);
});

test('pull: a page in place of a file is refused at its first bytes', async () => {
  content = Buffer.from('<!doctype html><title>model card</title>');
  await expect(pull()).rejects.toThrow(/is no GGUF file/);
  expect(existsSync(file)).toBe(false);
});

test('pull: a server that falls silent is given up, with what came kept', async () => {
  manners = [(request, response) => serve(request, response, 50_000)];
  await expect(pull({ silenceMs: 100, mostTries: 1 })).rejects.toThrow(/nothing came for 0\.1 s/);
  expect(existsSync(`${file}.part`)).toBe(true);
});

test('pull: without a network it says where it asked, and what to do', async () => {
  await expect(pull({ url: 'http://127.0.0.1:1/m.gguf', mostTries: 2 })).rejects.toMatchObject({
    message: expect.stringMatching(/127\.0\.0\.1:1 does not give the file: (ECONNREFUSED|bad port)/),
    mend: expect.stringContaining('without a network'),
  });
});

test('pull: a redirect from one place to the next, or to no web address, ends', async () => {
  manners = [status(302, { location: '/again' })];
  await expect(pull()).rejects.toThrow(/from one place to the next/);
  manners = [status(302, { location: 'ftp://127.0.0.1/m.gguf' })];
  await expect(pull()).rejects.toThrow(/which is not safe/);
});

test('pull: two of the same at once do not write into each other', async () => {
  manners = [cutAt(1000), status(503)];
  await expect(pull({ mostTries: 1 })).rejects.toThrow();
  writeFileSync(`${file}.part.lock`, String(process.ppid));
  await expect(pull()).rejects.toThrow(/another process .* fetches this file right now/);
  writeFileSync(`${file}.part.lock`, '999999999');
  manners = [serve];
  await pull();
  expect(readdirSync(join(folder, 'models'))).toEqual(['m.gguf', 'm.gguf.json']);
});

test('pull: a command that is interrupted says that what came is kept', async () => {
  const abort = new AbortController();
  manners = [(request, response) => serve(request, response, 50_000)];
  const ended = pull({ signal: abort.signal, onProgress: ({ bytes }) => bytes > 0 && abort.abort() });
  await expect(ended).rejects.toMatchObject({ exitCode: 130 });
  expect(existsSync(`${file}.part`)).toBe(true);
});
