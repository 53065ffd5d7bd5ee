import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeModel } from '../../tests/tiny-model.ts';
import type { ModelDefinition } from '../backend.ts';
import { readGguf } from './gguf.ts';
import { llama } from './llama.ts';

const folder = mkdtempSync(join(tmpdir(), 'switchyard-gguf-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = writeModel(join(folder, 'tiny.gguf'));
const definition: ModelDefinition = {
  name: 'mine',
  backend: 'llama',
  pool: 'gpu',
  model: 'mine',
  file,
  contextTokens: 4096,
  maxTokens: 100,
  tags: [],
  timeoutMs: 1000,
};
const never = new AbortController().signal;

test('gguf: a header tells what the model is and what its cache takes', () => {
  expect(readGguf(file)).toEqual({
    architecture: 'llama',
    quantisation: 'F32',
    contextTokens: 8192,
    fileBytes: readFileSync(file).length,
    layers: 2,
    // Two layers, two heads of 16 numbers for keys and for values, two bytes each.
    cacheBytesPerToken: 256,
    hasChatTemplate: true,
  });
});

test('gguf: every file that is cut off anywhere is refused, and none that is damaged crashes the reader', () => {
  const whole = readFileSync(file);
  const path = join(folder, 'damaged.gguf');
  for (let length = 0; length < whole.length; length += 9973) {
    writeFileSync(path, whole.subarray(0, length));
    expect(() => readGguf(path), `${length} bytes`).toThrow(/is no GGUF file|is cut off/);
  }
  for (let at = 4; at < 3000; at += 37) {
    const damaged = Buffer.from(whole);
    damaged[at] = 255;
    writeFileSync(path, damaged);
    try {
      readGguf(path);
    } catch (error) {
      expect(error).toMatchObject({ name: 'BackendError', kind: 'permanent' });
    }
  }
});

test('llama: a process that has not loaded the model looks at its file, and says who answers', async () => {
  const backend = llama(definition);
  await backend.check('mine', never);
  expect(backend.capabilities).toContain('embeddings');
  const request = { model: 'mine', role: 'coder', maxTokens: 1, tools: [], messages: [] };
  await expect(backend.complete(request, { signal: never, onText: () => {} })).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringContaining('./switchyard start gpu-worker --model mine') as string,
  });
});

test('llama: a missing file, none at all, and too long a context are refused with the mend', async () => {
  expect(() => llama({ ...definition, file: undefined })).toThrow(/names no file; give the path/);
  await expect(llama({ ...definition, file: '/none.gguf' }).check('mine', never)).rejects.toThrow(
    /\/none\.gguf is not there/,
  );
  await expect(llama({ ...definition, contextTokens: 10_000 }).check('mine', never)).rejects.toThrow(
    /context of 10000 tokens.*made for 8192; set its contextTokens to 8192 or less/,
  );
});
