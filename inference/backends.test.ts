import { expect, test } from 'vitest';
import type { ModelDefinition } from './backend.ts';
import { createBackend } from './backends.ts';

const definition: ModelDefinition = {
  name: 'mine',
  backend: 'openai',
  pool: 'p',
  model: 'm',
  url: 'http://127.0.0.1:1/v1',
  contextTokens: 1,
  maxTokens: 1,
  tags: [],
  timeoutMs: 1,
};

test('backends: a name of the table makes a backend', async () => {
  expect(await createBackend(definition, {})).toHaveProperty('complete');
});

test.each(['opena', 'toString'])(
  'backends: %s is refused with those there are and the nearest',
  async (backend) => {
    await expect(createBackend({ ...definition, backend }, {})).rejects.toThrow(
      /model mine names an unknown backend.*openai, scripted \(nearest: \w+\)/,
    );
  },
);
