import { expect, test } from 'vitest';
import { knownModel, knownModels } from './known-models.ts';
import { fillAndCheck } from './problems.ts';
import { ModelOptions } from './model-options.ts';
import { modelProblems } from './model-problems.ts';
import type { Config } from './config.ts';

test.each(knownModels)('known models: $model has prices that hold together, a source and a day', (one) => {
  const entry = { backend: 'openai', url: 'https://api.example.com/v1', ...one } as Record<string, unknown>;
  delete entry['provider'];
  expect(fillAndCheck(ModelOptions, entry)).toEqual([]);
  expect(modelProblems({ models: { one: entry as ModelOptions } } as unknown as Config)).toEqual([]);
  expect(one.prices.source).toMatch(/^https:\/\//);
  expect(one.prices.asOf >= '2026-07-01').toBe(true);
  expect(one.prices.inputMicroDollars).toBeLessThan(one.prices.outputMicroDollars);
});

test('known models: none is there twice, and a gateway may put the provider before the name', () => {
  expect(new Set(knownModels.map((one) => one.model)).size).toBe(knownModels.length);
  expect(knownModel('anthropic/claude-opus-5-5')?.tier).toBe('large');
  expect(knownModel('nobody')).toBeUndefined();
});
