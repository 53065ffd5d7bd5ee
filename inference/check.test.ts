import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Behaviour } from '../tests/model-behaviour.ts';
import { startOpenAiServer } from '../tests/openai-server.ts';
import type { OpenAiServer } from '../tests/openai-server.ts';
import type { ModelDefinition } from './backend.ts';
import { checkModel } from './check.ts';

let server: OpenAiServer;
afterEach(() => server?.close());

async function definitionOf(
  behaviour: Behaviour,
  more: Partial<ModelDefinition> = {},
): Promise<ModelDefinition> {
  server = await startOpenAiServer({ behave: () => behaviour, models: ['small'] });
  return {
    name: 'mine',
    backend: 'openai',
    pool: 'p',
    model: 'small',
    url: server.url,
    contextTokens: 4096,
    maxTokens: 1000,
    tags: [],
    timeoutMs: 5000,
    ...more,
  };
}

test('check: a model that answers is well, with its latency, reply size and speed', async () => {
  const usage = { inputTokens: 10, outputTokens: 11 };
  const definition = await definitionOf({
    kind: 'reply',
    content: 'I am ready.',
    usage,
    pieceCharacters: 1,
    pieceDelayMs: 10,
  });
  const check = await checkModel(definition, {});
  expect(check).toMatchObject({ ok: true, replyCharacters: 11 });
  expect(check.latencyMs).toBeGreaterThanOrEqual(100);
  expect(check.tokensPerSecond).toBeGreaterThan(10);
  expect(check.tokensPerSecond).toBeLessThan(200);
  expect(server.requests[0]!.body.max_tokens).toBeLessThanOrEqual(256);
});

test('check: a model that answers by calling a tool is well', async () => {
  const definition = await definitionOf({
    kind: 'reply',
    toolCalls: [{ name: 'say-ready', arguments: { text: 'yes' } }],
  });
  expect(await checkModel(definition, {})).toMatchObject({
    ok: true,
    replyCharacters: 23,
    tokensPerSecond: expect.any(Number),
  });
});

test('check: a model that thinks until its allowance is spent is well', async () => {
  const definition = await definitionOf({ kind: 'reply', finish: 'length' });
  expect(await checkModel(definition, {})).toMatchObject({ ok: true, replyCharacters: 0 });
});

test('check: an empty reply is a problem', async () => {
  const definition = await definitionOf({ kind: 'reply' });
  expect(await checkModel(definition, {})).toMatchObject({
    ok: false,
    problem: expect.stringContaining('nothing'),
  });
});

test('check: a missing key stops before any request, naming the variable', async () => {
  const definition = await definitionOf({ kind: 'reply', content: 'x' }, { apiKeyVariable: 'MY_KEY' });
  expect(await checkModel(definition, {})).toEqual({
    ok: false,
    latencyMs: 0,
    replyCharacters: 0,
    problem: 'model mine needs a key, but the variable MY_KEY is not set',
    mend: 'put the key into the environment variable MY_KEY where the mesh is started, and start it again',
  });
  expect(server.requests).toHaveLength(0);
});

test('check: a dead endpoint is named with its address', async () => {
  const definition = await definitionOf({ kind: 'reply', content: 'x' });
  await server.close();
  expect(await checkModel(definition, {})).toMatchObject({
    ok: false,
    problem: expect.stringContaining(definition.url!),
    mend: expect.stringContaining('start the model server'),
  });
});

test('check: a model that the server lacks costs no prompt', async () => {
  const definition = await definitionOf({ kind: 'reply', content: 'x' }, { model: 'smal' });
  expect(await checkModel(definition, {})).toMatchObject({ ok: false, mend: 'did you mean small?' });
  expect(server.requests).toHaveLength(0);
});

test('check: a model that is listed but fails is a problem', async () => {
  const definition = await definitionOf({ kind: 'error', status: 500, message: 'out of memory' });
  expect(await checkModel(definition, {})).toMatchObject({
    ok: false,
    problem: expect.stringContaining('out of memory'),
  });
});

test('check: a script answers without a scene of its own for it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-check-'));
  const script = join(folder, 'script.yaml');
  writeFileSync(script, '- role: coder\n  replies:\n    - content: Done.\n');
  const definition = await definitionOf({ kind: 'reply' }, { backend: 'scripted', script });
  expect(await checkModel(definition, {})).toMatchObject({ ok: true });
  rmSync(folder, { recursive: true });
  expect(await checkModel(definition, {})).toMatchObject({
    ok: false,
    problem: expect.stringContaining(script),
  });
});
