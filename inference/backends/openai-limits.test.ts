import { afterEach, expect, test } from 'vitest';
import { definitionAt, startOpenAiServer } from '../../tests/openai-server.ts';
import type { OpenAiServer } from '../../tests/openai-server.ts';
import type { Behaviour } from '../../tests/model-behaviour.ts';
import { openai } from './openai.ts';
import { waitAfterLimit } from './openai-rate-limit.ts';

const nowMs = Date.parse('2026-11-20T12:00:00Z');

test.each([
  [{ 'retry-after': '7' }, 7000],
  [{ 'retry-after-ms': '250' }, 250],
  [{ 'retry-after': 'Fri, 20 Nov 2026 12:00:30 GMT' }, 30_000],
  [{ 'x-ratelimit-reset-requests': '6m0s' }, 360_000],
  [{ 'x-ratelimit-reset-tokens': '1.5s' }, 1500],
  [{ 'x-ratelimit-reset-requests': '120ms', 'x-ratelimit-reset-tokens': '2s' }, 2000],
  [{ 'x-ratelimit-reset-requests': '1h2m3s' }, 3_723_000],
  [{ 'x-ratelimit-reset-requests': '12' }, 12_000],
  // Only the limit that is reached counts.
  [
    {
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '3s',
      'x-ratelimit-remaining-tokens': '900',
      'x-ratelimit-reset-tokens': '9s',
    },
    3000,
  ],
  // What is asked for goes before what is counted.
  [{ 'retry-after': '1', 'x-ratelimit-reset-requests': '9s' }, 1000],
  [{ 'llm_provider-retry-after': '8' }, 8000],
  [{ 'llm_provider-x-ratelimit-reset-tokens': '4s' }, 4000],
  [{ 'x-ratelimit-reset-requests': '1795182133' }, undefined],
  [{ 'x-ratelimit-reset-requests': 'soon' }, undefined],
  [{}, undefined],
])('openai limits: %j is a wait of %s ms', (headers, waitMs) => {
  expect(waitAfterLimit(new Headers(headers as Record<string, string>), nowMs)).toBe(waitMs);
});

const servers: OpenAiServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function backendBefore(behaviour: Behaviour, models?: string[]) {
  const server = await startOpenAiServer({ behave: () => behaviour, ...(models && { models }) });
  servers.push(server);
  return openai(definitionAt(server.url), {});
}

test.each([
  { status: 429, code: 'insufficient_quota', message: 'You exceeded it' },
  { status: 429, message: 'You exceeded your current quota, please check your plan and billing details.' },
  { status: 429, type: 'insufficient_quota', message: 'no' },
  { status: 429, code: 'billing_hard_limit_reached', message: 'no' },
])('openai limits: %j is an account without quota, which no wait mends', async (refusal) => {
  const backend = await backendBefore({ kind: 'error', ...refusal });
  const request = { model: 'test-model', role: 'coder', maxTokens: 9, messages: [], tools: [] };
  const call = backend.complete(request, { signal: new AbortController().signal, onText: () => {} });
  await expect(call).rejects.toMatchObject({
    kind: 'permanent',
    status: 429,
    requestId: 'request-0',
    message: expect.stringMatching(/no quota left.*add credit/),
  });
});

test('openai embeddings: no texts ask nothing', async () => {
  const backend = await backendBefore({ kind: 'reply' });
  expect(await backend.embed!([], AbortSignal.timeout(20_000))).toEqual({ vectors: [], inputTokens: 0 });
  expect(servers[0]!.paths).toEqual([]);
});

test('openai embeddings: a server that has none says so with the mend', async () => {
  const server = await startOpenAiServer({ behave: () => ({ kind: 'reply' }) });
  servers.push(server);
  const definition = {
    name: 'test',
    backend: 'openai',
    pool: 'test',
    model: 'test-model',
    url: server.url.replace('/v1', '/none'),
    contextTokens: 8000,
    maxTokens: 500,
    tags: [],
    timeoutMs: 20_000,
  };
  const failing = openai(definition, {}).embed!(['x'], AbortSignal.timeout(20_000));
  await expect(failing).rejects.toMatchObject({ kind: 'permanent', status: 404 });
});
