import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inspectRepository } from './repository.ts';
import { makeRepository, type TestRepository } from './repository-for-tests.ts';

let at: TestRepository;
beforeEach(() => {
  at = makeRepository();
});
afterEach(() => at.remove());

const inspect = (path: string) => inspectRepository(path, { roots: [at.area] });

test('repository: a clean one is told as it is', async () => {
  expect(await inspect(at.repository)).toEqual({
    exists: true,
    isGit: true,
    realPath: at.repository,
    insideRoots: true,
    headCommit: at.commit,
    branch: 'main',
    uncommittedFiles: 0,
  });
});

test('repository: changed, staged and new files are counted, and nothing is written', async () => {
  at.write('a.txt', 'changed\n');
  at.write('new/one', 'x');
  at.write('new/two', 'x');
  at.write('staged', 'x');
  at.git('add', 'staged');
  at.git('checkout', '--quiet', '--detach');
  const index = statSync(join(at.repository, '.git/index')).mtimeMs;
  expect(await inspect(join(at.repository, 'src'))).toMatchObject({
    realPath: at.repository,
    branch: null,
    uncommittedFiles: 4,
  });
  expect(statSync(join(at.repository, '.git/index')).mtimeMs).toBe(index);
});

test('repository: what cannot be worked on has its reason', async () => {
  mkdirSync(join(at.area, 'plain'));
  writeFileSync(join(at.area, 'file'), '');
  mkdirSync(join(at.area, 'empty'));
  execFileSync('git', ['init', '--quiet'], { cwd: join(at.area, 'empty') });
  expect(await inspect('relative')).toMatchObject({
    exists: false,
    reason: expect.stringMatching(/not an absolute path/),
  });
  expect(await inspect(join(at.area, 'none'))).toMatchObject({
    exists: false,
    reason: expect.stringMatching(/does not exist/),
  });
  expect(await inspect(join(at.area, 'file'))).toMatchObject({
    exists: true,
    reason: expect.stringMatching(/not a directory/),
  });
  expect(await inspect(join(at.area, 'plain'))).toMatchObject({
    isGit: false,
    reason: expect.stringMatching(/git init/),
  });
  expect(await inspect(join(at.area, 'empty'))).toMatchObject({
    isGit: true,
    headCommit: null,
    reason: expect.stringMatching(/no commit yet/),
  });
  expect(await inspect(join(at.repository, '.git'))).toMatchObject({
    reason: expect.stringMatching(/git's own directory/),
  });
});

test('repository: outside the allowed roots, also through a link or a name that only begins alike', async () => {
  const roots = [join(at.area, 'repo'), join(at.area, 'missing')];
  mkdirSync(roots[0]!);
  symlinkSync(at.repository, join(roots[0]!, 'link'));
  for (const path of [at.repository, join(roots[0]!, 'link')]) {
    const facts = await inspectRepository(path, { roots });
    expect(facts).toMatchObject({
      exists: true,
      insideRoots: false,
      reason: expect.stringMatching(/outside the allowed/),
    });
  }
  // The directory is inside, but the repository it belongs to is larger.
  const facts = await inspectRepository(join(at.repository, 'src'), { roots: [join(at.repository, 'src')] });
  expect(facts).toMatchObject({ insideRoots: false, realPath: at.repository });
});

test("repository: its owner is another user: git's distrust is explained", async (context) => {
  if (process.getuid?.() !== 0) context.skip('only root can give files to another user');
  execFileSync('chown', ['-R', '12345', at.repository]);
  const facts = await inspect(at.repository);
  expect(facts).toMatchObject({ isGit: false, reason: expect.stringMatching(/uid 12345.*chown/s) });
});

test('repository: nothing that its settings name is started', async () => {
  const trap = join(at.area, 'trap.sh');
  writeFileSync(trap, `#!/bin/sh\ntouch ${at.area}/sprung\ncat\n`);
  chmodSync(trap, 0o755);
  at.write('.gitattributes', '* filter=trap\n');
  for (const name of ['clean', 'smudge']) at.git('config', `filter.trap.${name}`, trap);
  at.git('config', 'core.fsmonitor', trap);
  at.git('config', 'core.hooksPath', at.area);
  at.write('a.txt', 'ONE\n');
  // The trap works: plain git springs it.
  at.git('-c', 'core.fsmonitor=false', 'status');
  expect(existsSync(join(at.area, 'sprung'))).toBe(true);
  at.git('config', 'filter.trap.process', trap);
  rmSync(join(at.area, 'sprung'));
  expect(await inspect(at.repository)).toMatchObject({ uncommittedFiles: 2 });
  expect(existsSync(join(at.area, 'sprung'))).toBe(false);
  expect(readFileSync(join(at.repository, 'a.txt'), 'utf8')).toBe('ONE\n');
});

test('repository: a bare one is workable', async () => {
  at.git('clone', '--quiet', '--bare', '.', '../bare.git');
  expect(await inspect(join(at.area, 'bare.git'))).toMatchObject({
    isGit: true,
    headCommit: at.commit,
    branch: 'main',
    uncommittedFiles: 0,
  });
});
