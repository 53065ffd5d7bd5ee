import { afterEach, expect, test } from 'vitest';
import type { Behaviour } from '../tests/model-behaviour.ts';
import { startOpenAiServer, type OpenAiServer } from '../tests/openai-server.ts';
import type { ModelDefinition } from './backend.ts';
import type { WidthResult } from './bench.ts';
import { benchModel, namesAt } from './check.ts';

let server: OpenAiServer;
afterEach(() => server?.close());

async function definitionOf(behave: (index: number) => Behaviour): Promise<ModelDefinition> {
  server = await startOpenAiServer({ behave: (_, index) => behave(index), models: ['small', 'other'] });
  return {
    name: 'mine',
    backend: 'openai',
    pool: 'p',
    model: 'small',
    url: server.url,
    contextTokens: 4096,
    maxTokens: 1000,
    tags: [],
    timeoutMs: 10_000,
  };
}

async function bench(definition: ModelDefinition, widths: number[]): Promise<WidthResult[]> {
  const signal = new AbortController().signal;
  return Array.fromAsync(benchModel(definition, {}, { widths, tokens: 50, signal }));
}

const reply: Behaviour = {
  kind: 'reply',
  content: 'Once there was a town.',
  usage: { inputTokens: 9, outputTokens: 40 },
  pieceDelayMs: 20,
};

test('bench: each width is so many different prompts at a time, with a warm-up before', async () => {
  const results = await bench(await definitionOf(() => reply), [1, 3]);
  expect(results.map(({ width, outputTokens, failed }) => ({ width, outputTokens, failed }))).toEqual([
    { width: 1, outputTokens: 40, failed: 0 },
    { width: 3, outputTokens: 120, failed: 0 },
  ]);
  expect(server.requests).toHaveLength(1 + 1 + 3);
  expect(server.requests.map((one) => one.body.max_tokens)).toEqual([1, 50, 50, 50, 50]);
  const prompts = server.requests.slice(2).map((one) => JSON.stringify(one.body.messages));
  expect(new Set(prompts).size).toBe(3);
  for (const { firstTokenMs, wallMs, tokensPerSecond } of results) {
    expect(firstTokenMs.median).toBeLessThanOrEqual(firstTokenMs.worst);
    expect(firstTokenMs.worst).toBeLessThan(wallMs);
    expect(tokensPerSecond).toBeGreaterThan(0);
  }
});

test('bench: replies that fail are counted, with the reason, and the others are measured', async () => {
  const isBad = (index: number): Behaviour =>
    index === 2 ? { kind: 'error', status: 500, message: 'out of memory' } : reply;
  const [result] = await bench(await definitionOf(isBad), [3]);
  expect(result).toMatchObject({ failed: 1, outputTokens: 80, problem: expect.stringContaining('500') });
});

test('bench: a model that is not there is said before anything is measured', async () => {
  const definition = await definitionOf(() => reply);
  await expect(bench({ ...definition, model: 'nobody' }, [1])).rejects.toThrow(/nobody/);
  expect(server.requests).toHaveLength(0);
});

test('names: the server says which models it has', async () => {
  const definition = await definitionOf(() => reply);
  expect(await namesAt(definition, {}, new AbortController().signal)).toEqual(['small', 'other']);
});
