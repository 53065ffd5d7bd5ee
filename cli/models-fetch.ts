import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import {
  mkdir,
  open,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { askFor, type Asked } from './models-request.ts';

export interface FetchRequest {
  url: string;
  /** Where the file is to lie; beside it, until it is whole, `FILE.part` and what is known of it. */
  file: string;
  /** SHA-256 that the file must have, in hexadecimal. */
  sha256?: string | undefined;
  signal: AbortSignal;
  /** Before the first byte is taken, and each time more has come. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** A silence after which the connection is given up and another tried. */
  silenceMs?: number;
  /** Tries that bring nothing before it is given up. */
  mostTries?: number;
  /** Grows with each try that brings nothing. */
  pauseMs?: number;
}

export interface Progress {
  /** What is on the disk. */
  bytes: number;
  /** Undefined where the server does not say. */
  totalBytes: number | undefined;
}

export interface Fetched {
  file: string;
  bytes: number;
  sha256: string;
  /** True where the sum was given, or told by the server, and fits. */
  isVerified: boolean;
  /** How much was there from an earlier try; undefined where the whole file was there already. */
  resumedFromBytes: number | undefined;
}

/** What is kept beside a whole file, as `FILE.json`: which file of that name it is. */
interface Origin {
  /** Without what follows a `?`, which may be a key and differ each time. */
  url: string;
  sha256: string;
  /** True where the sum was given, or told by the server. */
  isVerified: boolean;
}

/** What is known of a file that is not whole yet: enough to tell whether the server still has the same. */
interface Known {
  url: string;
  validator: string | undefined;
  totalBytes: number | undefined;
}

/**
 * Fetches a GGUF file, going on where an earlier try ended. The name is given to it only when it is whole and its
 * sum fits. Throws CommandError with the mend: no connection, no such file, no room, another file than was meant.
 */
export async function fetchModel(request: FetchRequest): Promise<Fetched> {
  const { file } = request;
  await mkdir(dirname(file), { recursive: true });
  const there = await sizeOf(file);
  if (there !== undefined) return already(request, there);
  const lock = await takeLock(`${file}.part.lock`);
  try {
    return await fetchPart(request);
  } finally {
    await rm(lock, { force: true });
  }
}

async function fetchPart(request: FetchRequest): Promise<Fetched> {
  const { file, url, mostTries = 4, pauseMs = 500 } = request;
  const part = `${file}.part`;
  const startedAt = (await sizeOf(part)) ?? 0;
  let asked: Asked | undefined;
  let fruitless = 0;
  for (;;) {
    const before = (await sizeOf(part)) ?? 0;
    try {
      asked = await takeMore(request, part);
      break;
    } catch (error) {
      if (error instanceof CommandError) throw error;
      if (request.signal.aborted) throw stopped(part);
      fruitless = ((await sizeOf(part)) ?? 0) > before ? 0 : fruitless + 1;
      if (fruitless >= mostTries) throw unreachable(url, part, error);
      await sleep(pauseMs * 2 ** fruitless, undefined, { signal: request.signal }).catch(() => undefined);
    }
  }
  const bytes = (await sizeOf(part)) ?? 0;
  const wanted = (request.sha256 ?? asked.sha256)?.toLowerCase();
  const sha256 = await sumOf(part);
  if (wanted !== undefined && sha256 !== wanted) {
    await forget(part);
    throw new CommandError(
      `${basename(file)} is not the file that was meant: its SHA-256 is ${sha256}, and ${wanted} was ${request.sha256 ? 'given' : 'told by the server'}`,
      'what came was thrown away: try again, and if it stays so, do not trust the source',
    );
  }
  const handle = await open(part, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  const isVerified = wanted !== undefined;
  // Before the file has its name: one whose origin nobody knows would be asked for again.
  await keepOrigin(file, { url: addressOf(url), sha256, isVerified });
  await rename(part, file);
  await rm(`${part}.json`, { force: true });
  return { file, bytes, sha256, isVerified, resumedFromBytes: startedAt };
}

/** One connection: takes what is missing, or all anew where the server has another file by now. */
async function takeMore(request: FetchRequest, part: string): Promise<Asked> {
  const known = await readKnown(part, request.url);
  const have = known?.validator === undefined ? 0 : ((await sizeOf(part)) ?? 0);
  const asked = await askFor(request.url, {
    from: have,
    validator: known?.validator,
    signal: request.signal,
    silenceMs: request.silenceMs ?? 60_000,
  });
  try {
    // Without a body: nothing is missing.
    if (asked.isComplete) return asked;
    const from = asked.isPartial ? have : 0;
    const { totalBytes, validator } = asked;
    await requireRoom(part, totalBytes === undefined ? 0 : totalBytes - from);
    const now: Known = { url: request.url, validator, totalBytes };
    await writeFile(`${part}.json`, JSON.stringify(now), { mode: 0o600 });
    const handle = await open(part, from === 0 ? 'w' : 'r+', 0o600);
    try {
      await handle.truncate(from);
      request.onProgress?.({ bytes: from, totalBytes });
      await write(handle, from, asked, request);
    } finally {
      await handle.close();
    }
    return asked;
  } finally {
    asked.end();
  }
}

async function write(handle: FileHandle, from: number, asked: Asked, request: FetchRequest): Promise<void> {
  let bytes = from;
  for await (const piece of asked.pieces()) {
    if (bytes === 0) requireGguf(piece, request.url);
    await handle.write(piece, 0, piece.length, bytes);
    bytes += piece.length;
    request.onProgress?.({ bytes, totalBytes: asked.totalBytes });
  }
  if (asked.totalBytes !== undefined && bytes !== asked.totalBytes)
    throw new Error(`the connection ended at ${bytes} of ${asked.totalBytes} bytes`);
}

function requireGguf(first: Uint8Array, url: string): void {
  const start = Buffer.from(first.subarray(0, 4)).toString('latin1');
  if (start === 'GGUF' || first.length < 4) return;
  throw new CommandError(
    `what ${url} gives is no GGUF file`,
    'give the address of the file itself, not of a page about it: hf:OWNER/REPO/FILE.gguf or a link that downloads',
  );
}

/** A file of that name is there: it is the one that is meant, or it is refused. Of one whose origin nobody knows the server is asked. */
async function already(request: FetchRequest, bytes: number): Promise<Fetched> {
  const { file, url } = request;
  const sha256 = await sumOf(file);
  const refuse = (why: string) =>
    new CommandError(
      `${file} is there already, ${why}`,
      'fetch into another folder with --to DIR, or remove it',
    );
  const origin = await readOrigin(file);
  const given = request.sha256?.toLowerCase();
  if (given === undefined && origin !== undefined && origin.url !== addressOf(url))
    throw refuse(`and came from ${origin.url}`);
  const told = given === undefined && origin === undefined ? await askSum(request, bytes, refuse) : undefined;
  const wanted = given ?? origin?.sha256 ?? told;
  if (wanted !== undefined && sha256 !== wanted)
    throw refuse(`and its SHA-256 is ${sha256}, not ${wanted} as of the file that is meant`);
  const isVerified = given !== undefined || told !== undefined || origin?.isVerified === true;
  if (isVerified) await keepOrigin(file, { url: addressOf(url), sha256, isVerified });
  return { file, bytes, sha256, isVerified, resumedFromBytes: undefined };
}

/** The sum that the server tells of its file; undefined where it tells none, and the lengths at least are the same. */
async function askSum(
  request: FetchRequest,
  bytes: number,
  refuse: (why: string) => CommandError,
): Promise<string | undefined> {
  const { url, signal, silenceMs = 60_000 } = request;
  let asked: Asked;
  try {
    asked = await askFor(url, { from: 0, validator: undefined, signal, silenceMs });
  } catch (error) {
    throw error instanceof CommandError ? error : unreachable(url, `${request.file}.part`, error);
  }
  asked.end();
  const { sha256, totalBytes } = asked;
  if (sha256 === undefined && totalBytes !== undefined && totalBytes !== bytes)
    throw refuse(`with ${bytes} bytes, and the one that is meant has ${totalBytes}`);
  return sha256;
}

function addressOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

const originOf = (file: string) => `${file}.json`;

async function keepOrigin(file: string, origin: Origin): Promise<void> {
  await writeFile(originOf(file), `${JSON.stringify(origin)}\n`, { mode: 0o600 });
}

async function readOrigin(file: string): Promise<Origin | undefined> {
  try {
    const { url, sha256, isVerified } = JSON.parse(await readFile(originOf(file), 'utf8')) as Partial<Origin>;
    if (typeof url !== 'string' || typeof sha256 !== 'string') return undefined;
    return { url, sha256, isVerified: isVerified === true };
  } catch {
    return undefined;
  }
}

async function requireRoom(part: string, missing: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(part));
  const free = bavail * bsize;
  // A disk that is full to the last byte stops more than this.
  if (free >= missing + 100_000_000) return;
  throw new CommandError(
    `${Math.ceil(missing / 1e6)} MB are to come, and ${dirname(part)} has ${Math.floor(free / 1e6)} MB left`,
    'make room there, or name another folder with --to DIR',
  );
}

async function readKnown(part: string, url: string): Promise<Known | undefined> {
  try {
    const known = JSON.parse(await readFile(`${part}.json`, 'utf8')) as Known;
    return known.url === url ? known : undefined;
  } catch {
    return undefined;
  }
}

/** Two at once would write into each other. */
async function takeLock(lock: string): Promise<string> {
  const mine = String(process.pid);
  try {
    await writeFile(lock, mine, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const pid = Number(await readFile(lock, 'utf8').catch(() => ''));
    if (pid > 0 && pid !== process.pid && isAlive(pid))
      throw new CommandError(
        `another process (${pid}) fetches this file right now`,
        `wait for it, or end it; if it does something else: rm ${lock}`,
      );
    await writeFile(lock, mine, { mode: 0o600 });
  }
  return lock;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function sumOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest('hex');
}

async function sizeOf(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.size;
}

async function forget(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(`${part}.json`, { force: true });
}

function stopped(part: string): CommandError {
  return new CommandError(
    `stopped; what came so far is kept in ${part}`,
    'the same command goes on from there',
    exitCodes.interrupted,
  );
}

function unreachable(url: string, part: string, error: unknown): CommandError {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const first = cause instanceof Error ? cause : error;
  const kept = existsSync(part) ? `: what came so far is kept in ${part}` : '';
  const why = code ?? (first instanceof Error ? first.message : String(first));
  return new CommandError(
    `${new URL(url).host} does not give the file: ${why}`,
    `look at the network (a proxy is taken from HTTPS_PROXY) and run it again${kept}. On a machine without a network, bring the file and name it as \`file\` under models`,
  );
}
