import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requireCommand, requireOwnRepository } from './own-repository.ts';

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
const git = (...words: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@localhost', ...words], { stdio: 'pipe' });

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-own-')));
  mkdirSync(at('plain'));
  writeFileSync(at('file'), '');
  git('init', '--quiet', at('empty'));
  git('init', '--quiet', at('good'));
  git('-C', at('good'), 'commit', '--quiet', '--allow-empty', '--message', 'one');
  mkdirSync(at('good', 'inner'));
  git('clone', '--quiet', '--bare', at('good'), at('bare.git'));
  symlinkSync(at('good'), at('link'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('own repository: a checkout, a bare one and a link to one are known by their real path', () => {
  expect(requireOwnRepository(at('good'))).toBe(at('good'));
  expect(requireOwnRepository(at('link'))).toBe(at('good'));
  expect(requireOwnRepository(at('bare.git'))).toBe(at('bare.git'));
});

test.each([
  ['/', 'is the whole machine'],
  [homedir(), 'is your home folder'],
  ['/etc', 'is not a git repository'],
  ['plain', 'is not a git repository'],
  ['gone', "cannot be read .it does not exist.; name the repository's folder"],
  ['file', "is no folder; name the repository's folder"],
  ['empty', 'has no commit yet'],
  ['good/inner', 'is a part of the repository .*good'],
  ['good/.git', "is inside git's own folder"],
])('own repository: %s is refused as wrong usage', (name, why) => {
  const named = name.startsWith('/') ? name : at(name);
  expect(() => requireOwnRepository(named)).toThrow(new RegExp(why));
  expect(() => requireOwnRepository(named)).toThrow(expect.objectContaining({ exitCode: 2 }));
});

test('own repository: a command that only a shell would understand is refused by its option', () => {
  requireCommand('--test', 'npm test');
  requireCommand('--setup', undefined);
  expect(() => requireCommand('--test', 'npm test && x')).toThrow(/--test: .*only a shell would understand/);
});
