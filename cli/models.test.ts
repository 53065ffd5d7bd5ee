import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../config/load.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { textOf } from '../observability/span.ts';
import { startOpenAiServer, type OpenAiServer } from '../tests/openai-server.ts';
import { tinyShape, writeModel } from '../tests/tiny-model.ts';
import { checkOne } from './models-check.ts';
import { readWidths } from './models-bench.ts';
import { rowOf, viewOfModel } from './models-list.ts';
import { modelsNamed } from './models-named.ts';
import { builtProgram } from '../tests/built-program.ts';

let folder: string;
let server: OpenAiServer;
let hub: Server;
let hubUrl: string;
let model: Buffer;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-models-')));
  server = await startOpenAiServer({
    models: ['small'],
    behave: () => ({
      kind: 'reply',
      content: 'I am ready.',
      usage: { inputTokens: 9, outputTokens: 11 },
      pieceDelayMs: 5,
    }),
  });
  model = readFileSync(writeModel(join(folder, 'source.gguf')));
  // As the hub does it: the sum of the file beside a redirect to where it lies.
  hub = createServer((request, response) => {
    if (request.url === '/owner/repo/resolve/main/tiny.gguf')
      response.writeHead(302, {
        location: '/blob',
        'x-linked-etag': `"${createHash('sha256').update(model).digest('hex')}"`,
      });
    else if (request.url === '/blob') response.writeHead(200, { 'content-length': model.length });
    else response.writeHead(404);
    response.end(request.url === '/blob' ? model : undefined);
  });
  await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve));
  hubUrl = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
  writeFileSync(
    join(folder, 'switchyard.yaml'),
    [
      'mode: local-only',
      'models:',
      `  mine: { backend: openai, model: small, url: '${server.url}', tier: small, tags: [local] }`,
      '  away:',
      '    backend: openai',
      '    url: https://api.example.com/v1',
      '    prices: { inputMicroDollars: 1250000, outputMicroDollars: 10000000, source: list, asOf: "2026-11-20" }',
      'roles: { coder: { models: [away, mine] } }',
      'routes: [{ name: short, models: [mine], why: w }]',
      '',
    ].join('\n'),
  );
});
afterAll(async () => {
  await server?.close();
  hub?.closeAllConnections();
  await new Promise((resolve) => hub.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

function run(...words: string[]): Promise<{ code: number; out: string; error: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [builtProgram('cli/main.ts'), '--state', join(folder, '.switchyard'), ...words],
      {
        cwd: folder,
        timeout: 120_000,
        env: {
          PATH: process.env['PATH'],
          HOME: folder,
          HF_ENDPOINT: hubUrl,
          NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
        },
      },
      (_, out, error) => resolve({ code: child.exitCode ?? -1, out, error }),
    );
  });
}

const load = () =>
  loadConfig({ stateDirectory: join(folder, '.switchyard'), environment: {}, overrides: {} });
const definition = (name: string) => modelDefinitions(load().models, {}).find((one) => one.name === name)!;
const never = new AbortController().signal;

test('models list: says of each who asks it, where it runs, what it costs and who serves it', () => {
  const heartbeat = {
    role: 'inference',
    process: 'inference.1',
    host: 'h',
    pid: 1,
    version: '0',
    pools: ['default'],
    tags: ['model:mine', 'backend:openai'],
    slots: 8,
    busySlots: 0,
    memoryBytes: 0,
    threads: 1,
    startedAtMs: 0,
    atMs: 0,
  };
  const mine = viewOfModel(load(), definition('mine'), [heartbeat]);
  expect(mine).toMatchObject({
    isLocal: true,
    liveWorkers: 1,
    rules: ['short'],
    roles: [
      { role: 'planner', place: 1 },
      { role: 'coder', place: 2 },
      { role: 'tester', place: 1 },
      { role: 'reviewer', place: 1 },
    ],
  });
  const away = viewOfModel(load(), definition('away'), [heartbeat]);
  expect(away).toMatchObject({
    isLocal: false,
    liveWorkers: 0,
    unusable: expect.stringContaining('local-only'),
  });
  expect(textOf(rowOf(away))).toContain('1.25/10');
  expect(textOf(rowOf(away))).toContain('not asked');
  expect(viewOfModel(load(), definition('mine'))).not.toHaveProperty('liveWorkers');
});

test('models check: a model that the mode bars is not asked, and says why', async () => {
  const asked = server.requests.length;
  const away = await checkOne(
    load(),
    { ...definition('away'), url: server.url.replace('127.0.0.1', '10.1.1.1') },
    {},
    never,
  );
  expect(away).toMatchObject({
    ok: false,
    problem: expect.stringContaining('local-only'),
    mend: expect.any(String),
  });
  expect(server.requests.length).toBe(asked);
  expect(await checkOne(load(), definition('mine'), {}, never)).toMatchObject({
    ok: true,
    replyCharacters: 11,
  });
});

test('models: a name that is none is refused with the nearest', () => {
  expect(() => modelsNamed(load(), {}, ['mien'])).toThrow(
    /there is no model "mien"; there are mine, away; did you mean "mine"/,
  );
  expect(modelsNamed(load(), {}, ['away']).map((one) => one.name)).toEqual(['away']);
  expect(() => modelsNamed({ ...load(), models: {} }, {}, [])).toThrow(/no model is configured/);
});

test('models bench: widths are numbers', () => {
  expect(readWidths('1, 4,8,4')).toEqual([1, 4, 8]);
  for (const wrong of ['', '0', '1,x', '999']) expect(() => readWidths(wrong)).toThrow(/Give whole numbers/);
});

test('models: list, check and bench print tables, and --json the same for a program', async () => {
  const list = await run('models', 'list');
  expect(list).toMatchObject({ code: 0, error: '' });
  expect(list.out).toMatch(/mine +openai +default +small +33k .* here .*planner 1, coder 2/);
  const check = await run('models', 'check');
  expect(check.code).toBe(1);
  expect(check.out).toMatch(/✓ +mine +\d+ ms +11 characters/);
  expect(check.out).toMatch(/✗ +away/);
  expect(check.out).toContain('1 model of 2 cannot be used');
  const good = await run('models', 'check', 'mine', '--json');
  expect(good.code).toBe(0);
  expect(JSON.parse(good.out)).toMatchObject({ ok: true, models: [{ name: 'mine', ok: true }] });
  const bench = await run('models', 'bench', 'mine', '--parallel', '1,2', '--tokens', '32', '--json');
  expect(bench.code).toBe(0);
  expect(JSON.parse(bench.out)).toMatchObject({
    models: [
      {
        name: 'mine',
        widths: [
          { width: 1, outputTokens: 11 },
          { width: 2, outputTokens: 22 },
        ],
      },
    ],
  });
});

test('models pull: fetches, compares with the sum of the hub, and prints lines that load', async () => {
  const to = join(folder, 'here');
  const pull = await run('models', 'pull', 'hf:owner/repo/tiny.gguf', '--to', to);
  expect(pull.error).toMatch(/fetching tiny\.gguf \(.*\) from 127\.0\.0\.1/);
  expect(pull.out).toContain('as it should be');
  expect(pull.code).toBe(0);
  expect(readFileSync(join(to, 'tiny.gguf')).equals(model)).toBe(true);
  const yaml = pull.out.slice(pull.out.indexOf('models:'));
  expect(parse(yaml)).toMatchObject({
    models: {
      tiny: { backend: 'llama', file: join(to, 'tiny.gguf'), contextTokens: tinyShape.contextTokens },
    },
  });
  const file = join(folder, 'pulled.yaml');
  writeFileSync(file, yaml);
  expect(loadConfig({ file, stateDirectory: join(folder, 'x'), environment: {} }).roles.coder.models).toEqual(
    ['tiny'],
  );
  const gone = await run('models', 'pull', 'hf:owner/repo/gone.gguf', '--to', to, '--json');
  expect(gone.code).toBe(1);
  expect(JSON.parse(gone.out)).toMatchObject({
    error: { problems: [expect.stringContaining('no such file')] },
  });
  expect(existsSync(join(to, 'gone.gguf'))).toBe(false);
});
