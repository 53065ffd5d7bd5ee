import { symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { ModelDefinition } from '../inference/backend.ts';
import { definitionOf, tinyModel } from './engine-for-tests.ts';
import { workerSettings } from './settings.ts';
import { cpusOf, readCpuList, standardThreads } from './threads.ts';

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
  workerSettings(['node', 'main.ts', '--state', '/s', ...args], [configured, other], [0, 1, 4, 5, 6, 7]);

test('worker: a name of the configuration is that model, with what the command line says over it', () => {
  expect(settings('--model', 'noise')).toEqual({
    definition: configured,
    cpus: undefined,
    share: { workers: 1 },
  });
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
    '512',
    '--cpus',
    '1,4-6',
  );
  expect(given.cpus).toEqual([1, 4, 5, 6]);
  // A reply has to leave room for its question.
  expect(given.definition).toMatchObject({
    slots: 2,
    threads: 3,
    gpuLayers: 0,
    contextTokens: 512,
    maxTokens: 256,
  });
  const long = { ...configured, maxTokens: 1000 };
  const { definition } = workerSettings(['node', 'main.ts', '--model', 'noise', '--context', '600'], [long]);
  expect(definition.maxTokens).toBe(150);
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
  [
    ['--model', 'noise', '--cpus', 'x'],
    /--cpus x: this is no list of processors; accepted: a list such as 0-3,6, or all/,
  ],
  [
    ['--model', 'noise', '--cpus', '99'],
    /--cpus 99: this process may use 6 processors from 0 to 7, and not 99/,
  ],
  [['--model', 'noise', '--cpus', '0,2'], /and not 2; accepted/],
  [['--model', 'noise', '--cpus', '5-2'], /5-2 runs backwards/],
  [['--model', 'noise', '--cpus', '0-4294967296'], /there is no processor 4294967296/],
  [['--model', 'noise', '--cpus', '0-20000000'], /there is no processor 20000000/],
  [
    ['--model', 'noise', '--threads', '1.5'],
    /--threads: found the text "1.5"; accepted: a whole number from 1 to 1024/,
  ],
  [
    ['--model', 'noise', '--threads', '99999'],
    /--threads: found 99999; accepted: a whole number from 1 to 1024/,
  ],
  [
    ['--model', 'noise', '--slots', '100000'],
    /--slots: found 100000; accepted: a whole number from 1 to 256/,
  ],
  [
    ['--model', 'noise', '--gpu-layers', ''],
    /--gpu-layers: found the text ""; accepted: a whole number from 0/,
  ],
  [
    ['--model', 'noise', '--context', '16'],
    /--context: found 16; accepted: a whole number from 512 to 10000000/,
  ],
  [
    ['--model', 'noise', '--name', 'x y *'],
    /--name x y \*: .*accepted: letters, digits and \. _ : # \/ @ \+ -/,
  ],
  [
    ['--model', 'noise', '--pool', 'a b.>'],
    /--pool: found the text "a b.>"; accepted: letters, digits, - and _/,
  ],
  [['--model', 'noise', '--place', '1'], /--place 1 is not accepted; accepted: a whole number below 1/],
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

test('threads: the workers of all models share the machine, and one that the configuration does not know comes on top', () => {
  const two = { ...configured, name: 'two', pool: 'two', file: '/two.gguf', workers: 2 };
  const idle = { ...configured, name: 'idle', pool: 'idle', file: '/idle.gguf', workers: 0 };
  const shareOf = (...args: string[]) =>
    workerSettings(['node', 'main.ts', ...args], [configured, two, idle, other]).share;
  expect(shareOf('--model', 'noise')).toEqual({ workers: 3 });
  expect(shareOf('--model', 'two', '--place', '2')).toEqual({ workers: 3, place: 2 });
  expect(shareOf('--model', 'idle')).toEqual({ workers: 4 });
});

test('threads: workers with a place compute on processors of their own, as far as there are enough', () => {
  const eight = [0, 1, 2, 3, 8, 9, 10, 11];
  const places = (allowed: number[], workers: number) =>
    Array.from({ length: workers }, (_, place) => cpusOf(allowed, { workers, place }));
  expect(places(eight, 1)).toEqual([[1, 2, 3, 8, 9, 10, 11]]);
  expect(places(eight, 3)).toEqual([
    [1, 2],
    [3, 8],
    [9, 10],
  ]);
  expect(cpusOf(eight, { workers: 3 })).toEqual([1, 2, 3, 8, 9, 10, 11]);
  expect(places([4, 5], 3)).toEqual([[5], [5], [5]]);
  expect(places([4], 2)).toEqual([[4], [4]]);
});
