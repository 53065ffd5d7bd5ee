import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { allowInState, forbidInState, readAllowed } from './allowed.ts';
import { allowedFile } from './state.ts';
import { holdingLock, lockStateDirectory } from './state-lock.ts';

let folder: string;
let started: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-lock-'));
  started = [];
});
afterEach(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'hold-lock-for-tests.ts'), ...args]);
  started.push(child);
  return child;
}

async function firstWords(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout!, 'data')) as [Buffer];
  return String(chunk).trim();
}

test('lock: a second mesh on the folder is refused and told the process that has it', async () => {
  const first = start('hold', folder);
  expect(await firstWords(first)).toBe('held');
  const second = start('hold', folder);
  expect(await firstWords(second)).toContain(
    `a mesh already runs on ${folder}, started by process ${first.pid};`,
  );
  expect(() => lockStateDirectory(folder)).toThrow(/--state DIR/);
});

test('lock: kill -9 of its holder frees it', async () => {
  const first = start('hold', folder);
  await firstWords(first);
  first.kill('SIGKILL');
  await once(first, 'exit');
  lockStateDirectory(folder).release();
});

test('lock: the file of a dead holder is no lock, even where its pid is used again', () => {
  lockStateDirectory(folder).release();
  // This very process bears the pid of the former holder.
  lockStateDirectory(folder).release();
});

test('lock: it is held as long as its process lives, though nobody there has it in a variable', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  lockStateDirectory(folder);
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collectGarbage();
  }
  expect(await firstWords(start('hold', folder))).toContain('a mesh already runs');
});

test('lock: of several at once one gets it', async () => {
  const words = await Promise.all(Array.from({ length: 5 }, () => firstWords(start('hold', folder))));
  expect(words.filter((word) => word === 'held')).toHaveLength(1);
});

test('lock: it is given back also when the act throws', () => {
  const act = () => {
    throw new Error('no');
  };
  expect(() => holdingLock(folder, 'x', act)).toThrow('no');
  expect(holdingLock(folder, 'x', () => 7, 0)).toBe(7);
});

test('lock: who waits too long is told for what', () => {
  expect(() => holdingLock(folder, 'x', () => holdingLock(folder, 'x', () => 1, 50))).toThrow(
    /x\.lock has been held by another process for 50 ms/,
  );
});

test('allowances: many processes that allow at once lose nothing', async () => {
  const children = [0, 1, 2, 3].map((who) =>
    start('allow', folder, ...[0, 1, 2, 3, 4].map((one) => `test ${who} ${one}`)),
  );
  await Promise.all(children.map((child) => once(child, 'exit')));
  expect(readAllowed(folder).tests).toHaveLength(20);
  expect(statSync(allowedFile(folder)).mode & 0o777).toBe(0o600);
});

test('allowances: the same again changes nothing, and a repository must be a folder', () => {
  allowInState(folder, { test: 'npm test' });
  const before = statSync(allowedFile(folder)).ino;
  expect(allowInState(folder, { test: 'npm test' }).tests).toEqual(['npm test']);
  expect(statSync(allowedFile(folder)).ino).toBe(before);
  expect(() => allowInState(folder, { repository: join(folder, 'gone') })).toThrow(/cannot be read/);
  expect(() => allowInState(folder, { repository: allowedFile(folder) })).toThrow(/is no folder/);
});

test('allowances: what is taken back is gone, and the rest stays', () => {
  allowInState(folder, { repository: folder, test: 'npm test', setup: 'npm ci' });
  const { repositories } = allowInState(folder, { test: 'make check' });
  expect(forbidInState(folder, { repositories, tests: ['npm test'], setups: ['none'] })).toEqual(
    readAllowed(folder),
  );
  expect(readAllowed(folder)).toEqual({ repositories: [], tests: ['make check'], setups: ['npm ci'] });
});

test('allowances: texts that mean something to YAML come back as they were', () => {
  const tests = ['yes', '*', '1.0', 'a: b # c', "it's", 'npm test -- --grep "x: y"'];
  for (const one of tests) allowInState(folder, { test: one });
  expect(readAllowed(folder).tests).toEqual(tests);
});

test('allowances: a mistake in the file is named with its place', () => {
  writeFileSync(allowedFile(folder), 'repositories: []\ntest: [npm test]\n');
  expect(() => readAllowed(folder)).toThrow(
    /allowed\.yaml:2:1 test: there is no such option; .* did you mean "tests"/,
  );
});
