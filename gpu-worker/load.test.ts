import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { tinyShape } from '../tests/tiny-model.ts';
import { checkLlama } from './check.ts';
import { definitionOf, openForTest, requestOf, tinyModel } from './engine-for-tests.ts';

const model = tinyModel();
const bare = tinyModel({ chatTemplate: undefined });
const folder = dirname(model.file);
afterAll(() => {
  model.remove();
  bare.remove();
});

function damaged(name: string, damage: (file: string) => void): string {
  const file = join(folder, name);
  writeFileSync(file, readFileSync(model.file));
  damage(file);
  return file;
}
const never = new AbortController().signal;

test('loading: a model for which the memory does not suffice is refused with the numbers and what to change', async () => {
  const memory = { bytes: 1_000_000, of: 'this machine' };
  // Wherever it runs: on a card another memory would count.
  const definition = { contextTokens: 4096, slots: 8, gpuLayers: 0 };
  await expect(openForTest(model.file, definition, { memory })).rejects.toMatchObject({
    kind: 'permanent',
    // 4096 tokens x 8 slots x 256 bytes.
    message:
      'tiny needs about 209 MB (file 1 MB, cache 9 MB for 8 slots of 4096 tokens, 200 MB besides), and this machine has 1 MB free; lower its contextTokens or slots, take a smaller quantisation, or another machine',
  });
});

test('loading: a context beyond what the model was made for is refused', async () => {
  await expect(openForTest(model.file, { contextTokens: 9000 })).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(
      /context of 9000 tokens.*made for 8192; set its contextTokens to 8192/,
    ) as string,
  });
});

test.each([
  ['that is not there', () => join(folder, 'none.gguf'), /none\.gguf is not there/],
  [
    'that is none',
    () => damaged('text.gguf', (file) => writeFileSync(file, 'x'.repeat(100))),
    /is no GGUF file/,
  ],
  [
    'that is cut off',
    () => damaged('cut.gguf', (file) => truncateSync(file, 300_000)),
    /is cut off: 300000 of \d+ bytes/,
  ],
  [
    'that is cut off in its header',
    () => damaged('head.gguf', (file) => truncateSync(file, 400)),
    /cut off within its header/,
  ],
])('loading: a file %s is refused before llama.cpp sees it', async (_, make, says) => {
  const file = make();
  await expect(openForTest(file)).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(says) as string,
  });
  expect(await checkLlama(definitionOf(file))).toMatchObject({
    ok: false,
    problem: expect.stringMatching(says) as string,
  });
});

test('loading: a file that only llama.cpp finds fault with is a failure with a mend', async () => {
  const file = damaged('strange.gguf', (path) => {
    const bytes = readFileSync(path);
    const at = bytes.indexOf('output_norm.weight');
    bytes.write('output_nowhere.wei', at);
    writeFileSync(path, bytes);
  });
  await expect(openForTest(file)).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(
      /llama\.cpp cannot load .*strange\.gguf: .*; see the lines above/,
    ) as string,
  });
});

test('loading: a model without a chat template is asked in plain headings', async () => {
  const engine = await openForTest(bare.file, { slots: 1, contextTokens: 512 });
  try {
    const reply = await engine.complete(requestOf('Say something.', { maxTokens: 20 }), {
      signal: never,
      onText: () => {},
    });
    expect(reply.usage.outputTokens).toBeGreaterThan(0);
    expect(reply.usage.inputTokens).toBeGreaterThan(20);
  } finally {
    await engine.close();
  }
});

test('loading: a call that takes longer than its model allows is a failure worth another try', async () => {
  const engine = await openForTest(model.file, { slots: 1, contextTokens: 4096, timeoutMs: 400 });
  try {
    const schema = { name: 'x', schema: { type: 'array', items: { type: 'boolean' }, minItems: 500 } };
    const call = engine.complete(requestOf('Write.', { maxTokens: 4000, schema }), {
      signal: never,
      onText: () => {},
    });
    await expect(call).rejects.toMatchObject({
      kind: 'retryable',
      message: expect.stringContaining('tiny did not finish within 400 ms') as string,
    });
    await expect.poll(() => engine.figures().freeSlots).toBe(1);
  } finally {
    await engine.close();
  }
});

// Mesa's lavapipe, a card in software, will do: with GGML_VK_VISIBLE_DEVICES=0, for llama.cpp passes it over by itself.
test('loading: layers lie on a card where there is one, and it says how many', async (context) => {
  const said: string[] = [];
  const engine = await openForTest(
    model.file,
    { gpuLayers: 1, slots: undefined },
    { say: (_, line) => void said.push(line) },
  );
  try {
    const tried = said.filter((line) => line.includes('the next kind is tried')).join('; ');
    context.skip(
      engine.card === undefined,
      tried || 'no llama.cpp for a card is fetched: node setup/gpu-worker.mjs --gpu vulkan (or cuda)',
    );
    expect(engine.card).toMatchObject({ layers: 1, ofLayers: tinyShape.layers + 1 });
    expect(said).toContain(`1 of 3 layers lie on ${engine.card!.names.join(' and ')}`);
    expect(engine.slots).toBe(8);
    const options = { signal: never, onText: () => {} };
    const reply = await engine.complete(requestOf('Say something.', { maxTokens: 8 }), options);
    expect(reply.usage.outputTokens).toBeGreaterThan(0);
  } finally {
    await engine.close();
  }
});

test('check: a model is loaded in a process of its own and answers', async () => {
  const result = await checkLlama(definitionOf(model.file));
  expect(result).toMatchObject({ ok: true });
  expect(result.latencyMs).toBeGreaterThan(0);
});
