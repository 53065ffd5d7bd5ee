import { symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { ModelDefinition } from '../inference/backend.ts';
import { definitionOf, tinyModel } from './engine-for-tests.ts';
import { workerSettings } from './settings.ts';
import { readCpuList, standardThreads } from './threads.ts';

const model = tinyModel();
afterAll(() => model.remove());

const other: ModelDefinition = {
  ...definitionOf(''),
  name: 'api',
  backend: 'openai',
  pool: 'default',
  file: undefined,
};
const configured = definitionOf(model.file, { name: 'noise', pool: 'noise' });
const settings = (...args: string[]) =>
  workerSettings(['node', 'main.ts', '--state', '/s', ...args], [configured, other]);

test('worker: a name of the configuration is that model, with what the command line says over it', () => {
  expect(settings('--model', 'noise')).toEqual({ definition: configured, cpus: undefined });
  const given = settings(
    '--model',
    'noise',
    '--slots',
    '2',
    '--threads',
    '3',
    '--gpu-layers',
    '0',
    '--context',
    '300',
    '--cpus',
    '1,4-6',
  );
  expect(given.cpus).toEqual([1, 4, 5, 6]);
  // A reply has to leave room for its question.
  expect(given.definition).toMatchObject({
    slots: 2,
    threads: 3,
    gpuLayers: 0,
    contextTokens: 300,
    maxTokens: 256,
  });
  expect(settings('--model', 'noise', '--context', '100').definition.maxTokens).toBe(25);
});

test('worker: a file that a configured model names is that model, also by another path', () => {
  const link = join(dirname(model.file), 'link.gguf');
  symlinkSync(model.file, link);
  expect(settings('--model', link).definition.name).toBe('noise');
});

test('worker: a file that no model names becomes one, in the pool `gpu`, as large as the file allows', () => {
  const { definition } = workerSettings(['node', 'main.ts', '--model', model.file], [other]);
  expect(definition).toMatchObject({
    name: 'tiny',
    backend: 'llama',
    pool: 'gpu',
    file: model.file,
    contextTokens: 8192,
    maxTokens: 2048,
    tags: ['local'],
  });
});

test.each([
  [[], /--model is missing; usage/],
  [['--model', 'api'], /of the backend openai/],
  [
    ['--model', 'nois'],
    /no model of the configuration and no file; configured for gpu-workers: noise.*did you mean "noise"/,
  ],
  [['--model', '/none.gguf'], /\/none\.gguf is not there/],
  [['--model', 'noise', '--pool', 'default'], /the pool default is also that of the model api/],
  [['--model', 'noise', '--name', 'api'], /another model of the name api/],
  [['--model', 'noise', '--cpus', 'x'], /--cpus x is not accepted/],
  [['--model', 'noise', '--threads', '1.5'], /--threads 1.5 is not accepted/],
  [['--model', 'noise', '--thread', '1'], /Unknown option '--thread'/],
])('worker: %j is refused', (args, says) => {
  expect(() => settings(...args)).toThrow(says);
});

test('threads: all cores but one, shared by the workers of a machine, and never none', () => {
  expect([
    standardThreads(1, 1),
    standardThreads(1, 2),
    standardThreads(1, 8),
    standardThreads(3, 8),
    standardThreads(9, 4),
  ]).toEqual([1, 1, 7, 2, 1]);
  expect(readCpuList('0-2,7')).toEqual([0, 1, 2, 7]);
});
