import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { startWorkers, workerArguments } from './gpu-worker.ts';

const folder = mkdtempSync(join(tmpdir(), 'switchyard-worker-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'one.gguf');
writeFileSync(file, 'GGUF');

function configOf(models: object) {
  const path = join(folder, 'switchyard.yaml');
  writeFileSync(path, JSON.stringify({ models }));
  return loadConfig({ file: path, stateDirectory: folder, environment: {} });
}
const one = configOf({ qwen: { backend: 'llama', file, pool: 'big' } });

test('gpu-worker: a model of the configuration by its name, a file by its whole path', () => {
  expect(workerArguments({ model: 'qwen', slots: '2' }, one)).toEqual(['--model', 'qwen', '--slots', '2']);
  expect(workerArguments({ model: file, pool: 'gpu' }, one)).toEqual(['--model', file, '--pool', 'gpu']);
});

test('gpu-worker: the only model need not be named; with none there is nothing to serve', () => {
  expect(workerArguments({}, one)).toEqual(['--model', 'qwen']);
  expect(() => workerArguments({}, configOf({}))).toThrow('serves one model, and none is named');
});

test('gpu-worker: what is neither a file nor a model is refused before anything is fetched, with the nearest name', () => {
  expect(() => workerArguments({ model: 'qwem' }, one)).toThrow(
    /there is no file .*qwem, and no model .* called "qwem"; did you mean "qwen"/,
  );
  expect(() => workerArguments({ model: 'qwen', pool: 'bog' }, one)).toThrow(
    /the broker knows no pool "bog"; there are big, gpu; did you mean "big"/,
  );
});

test('gpu-worker: those of all models start one after the other, each with its place, since each looks what is free', async () => {
  const other = join(folder, 'other.gguf');
  writeFileSync(other, 'GGUF');
  const config = configOf({
    qwen: { backend: 'llama', file, pool: 'big', workers: 2 },
    idle: { backend: 'llama', file: other, pool: 'idle', workers: 0 },
    smol: { backend: 'llama', file: other, pool: 'small' },
  });
  const seen: string[] = [];
  await startWorkers(config, {
    async start(program, args = []) {
      seen.push([program, ...args].join(' '));
      await new Promise(setImmediate);
      seen.push('serves');
      return { program, number: 1, pid: 1, process: 'inference.1', logFile: '', kill() {} };
    },
  });
  expect(seen).toEqual([
    'gpu-worker --model qwen --place 0',
    'serves',
    'gpu-worker --model qwen --place 1',
    'serves',
    'gpu-worker --model smol --place 2',
    'serves',
  ]);
});
