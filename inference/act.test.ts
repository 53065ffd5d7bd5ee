import { afterEach, expect, test } from 'vitest';
import type { Behaviour } from '../tests/model-behaviour.ts';
import { startOpenAiServer } from '../tests/openai-server.ts';
import type { OpenAiServer } from '../tests/openai-server.ts';
import { answer } from './act.ts';
import type { AnswerInput } from './act.ts';
import type { ModelDefinition } from './backend.ts';
import { createBackend } from './backends.ts';

let server: OpenAiServer | undefined;
afterEach(() => server?.close());

async function ask(behaviours: Behaviour[], more: Partial<AnswerInput> & { timeoutMs?: number } = {}) {
  server = await startOpenAiServer({
    behave: (_, index) => behaviours[Math.min(index, behaviours.length - 1)]!,
  });
  const definition: ModelDefinition = {
    name: 'local',
    backend: 'openai',
    pool: 'local',
    model: 'provider-name',
    url: server.url,
    contextTokens: 8000,
    maxTokens: 100,
    tags: [],
    timeoutMs: more.timeoutMs ?? 5000,
  };
  const retries: { attempts: number; waitMs: number; message: string }[] = [];
  const texts: string[] = [];
  const result = await answer({
    definition,
    backend: await createBackend(definition, {}),
    request: {
      model: 'local',
      role: 'coder',
      maxTokens: 100,
      messages: [{ role: 'user', content: 'Hi' }],
      tools: [],
    },
    budgetMs: 10_000,
    signal: new AbortController().signal,
    onText: (text) => texts.push(text),
    onRetry: (retry) => retries.push(retry),
    random: () => 0,
    ...more,
  });
  return { result, retries, texts, requests: server.requests };
}

test('act: answers at the first attempt, under the name that the provider knows', async () => {
  const { result, retries, texts, requests } = await ask([{ kind: 'reply', content: 'hello' }]);
  expect(result).toMatchObject({ outcome: 'answered', attempts: 1, reply: { content: 'hello' } });
  expect(result.durationMs).toBeGreaterThan(0);
  expect(texts.join('')).toBe('hello');
  expect(retries).toEqual([]);
  expect(requests[0]!.body.model).toBe('provider-name');
});

test('act: asks again after faults that pass, and tells of each wait', async () => {
  const { result, retries } = await ask([
    { kind: 'error', status: 500 },
    { kind: 'cut', content: 'half', how: 'reset' },
    { kind: 'reply', content: 'whole' },
  ]);
  expect(result).toMatchObject({ outcome: 'answered', attempts: 3, reply: { content: 'whole' } });
  expect(retries.map(({ attempts, waitMs }) => ({ attempts, waitMs }))).toEqual([
    { attempts: 1, waitMs: 250 },
    { attempts: 2, waitMs: 500 },
  ]);
  expect(result.durationMs).toBeGreaterThanOrEqual(750);
});

test('act: waits as long as the provider asks', async () => {
  const { result } = await ask([
    { kind: 'error', status: 429, headers: { 'retry-after': '1' } },
    { kind: 'reply', content: 'now' },
  ]);
  expect(result).toMatchObject({ outcome: 'answered', attempts: 2 });
  expect(result.durationMs).toBeGreaterThanOrEqual(990);
});

test('act: gives up at once where the provider asks for more time than is left', async () => {
  const { result } = await ask([{ kind: 'error', status: 429, headers: { 'retry-after': '60' } }]);
  expect(result).toMatchObject({ outcome: 'failed', kind: 'retryable', attempts: 1, status: 429 });
  expect(result).toHaveProperty('message', expect.stringMatching(/answered 429.*due in 60\.0 s, but only/));
  expect(result.durationMs).toBeLessThan(900);
});

test('act: gives up after four attempts', async () => {
  const { result, requests } = await ask([{ kind: 'error', status: 503 }]);
  expect(result).toMatchObject({ outcome: 'failed', kind: 'retryable', attempts: 4, status: 503 });
  expect(requests).toHaveLength(4);
});

test('act: does not ask again what is permanent', async () => {
  const { result, requests } = await ask([{ kind: 'error', status: 400, message: 'no such parameter' }]);
  expect(result).toMatchObject({ outcome: 'failed', kind: 'permanent', attempts: 1 });
  expect(requests).toHaveLength(1);
});

test('act: a model that hangs leaves the time of its timeout, not all there is', async () => {
  const { result } = await ask([{ kind: 'hang' }, { kind: 'reply', content: 'here' }], { timeoutMs: 100 });
  expect(result).toMatchObject({ outcome: 'answered', attempts: 2 });
});

test('act: ends when its time is over, in the middle of a reply', async () => {
  const { result } = await ask([{ kind: 'hang', after: 'and' }], { budgetMs: 150 });
  expect(result).toMatchObject({ outcome: 'failed', kind: 'retryable', attempts: 1 });
  expect(result).toHaveProperty('message', expect.stringContaining('within the 150 ms'));
  expect(result.durationMs).toBeLessThan(1000);
});

test('act: a budget of months is no timer that fires at once', async () => {
  const { result } = await ask([{ kind: 'reply', content: 'hello', pieceDelayMs: 20 }], { budgetMs: 1e10 });
  expect(result).toMatchObject({ outcome: 'answered', attempts: 1 });
});

test('act: cancelling ends a call in the middle of a reply', async () => {
  const controller = new AbortController();
  const { result } = await ask([{ kind: 'hang', after: 'and' }], {
    signal: controller.signal,
    onText: () => controller.abort(),
  });
  expect(result).toMatchObject({ outcome: 'failed', kind: 'cancelled', attempts: 1 });
  expect(result.durationMs).toBeLessThan(1000);
});

test('act: cancelling ends a wait between two attempts', async () => {
  const controller = new AbortController();
  const { result, requests } = await ask([{ kind: 'error', status: 429, headers: { 'retry-after': '5' } }], {
    signal: controller.signal,
    onRetry: () => controller.abort(),
  });
  expect(result).toMatchObject({ outcome: 'failed', kind: 'cancelled' });
  expect(result.durationMs).toBeLessThan(1000);
  expect(requests).toHaveLength(1);
});
