import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { advanceBranch, applyBranch, publishBranch } from './branch.ts';
import { git } from './git.ts';
import { ensureMirror } from './mirror.ts';
import { makeRepository, type TestRepository } from './repository-for-tests.ts';
import { openPool, type Workspace, type WorkspacePool } from './workspace.ts';

let at: TestRepository;
let mirror: string;
let pool: WorkspacePool;
let workspace: Workspace;
const taskId = 'task-1';
const branch = 'switchyard/task-1';
let steps = 0;

beforeEach(async () => {
  at = makeRepository({ 'a.txt': '1\n2\n3\n', 'b.txt': 'b\n' });
  mirror = await ensureMirror({ stateDirectory: at.state, repository: at.repository, commit: at.commit });
  pool = await openPool({ stateDirectory: at.state, instance: 'coder' });
  workspace = await pool.claim({ mirror, taskId, commit: at.commit });
});
afterEach(async () => {
  await pool.close();
  at.remove();
});

async function step(path: string, text: string, parent = workspace.head()): Promise<string> {
  if (parent !== workspace.head()) await workspace.reset(parent);
  workspace.beginChange();
  writeFileSync(join(workspace.path, path), text);
  steps += 1;
  return (await workspace.commitStep({ stepId: `run/${steps}`, message: path, parent })).commit;
}

test('branch: it goes forward only, however often and in whatever order it is told', async () => {
  const one = await step('a.txt', '1\n');
  const two = await step('a.txt', '2\n');
  expect(await advanceBranch(mirror, taskId, two)).toEqual({ commit: two, moved: true });
  expect(await advanceBranch(mirror, taskId, one)).toEqual({ commit: two, moved: false });
  expect(await advanceBranch(mirror, taskId, two)).toEqual({ commit: two, moved: false });
  const aside = await step('a.txt', 'aside\n', one);
  expect(await advanceBranch(mirror, taskId, aside)).toMatchObject({
    commit: two,
    moved: false,
    reason: expect.stringMatching(/does not follow/),
  });
  const three = await step('a.txt', '3\n', two);
  await Promise.all([three, two, three, one].map((commit) => advanceBranch(mirror, taskId, commit)));
  expect((await git(['rev-parse', branch], { directory: mirror })).trim()).toBe(three);
  await expect(advanceBranch(mirror, '../main', three)).rejects.toThrow(/branch's name/);
});

test("publish: the branch comes into the user's repository; checkout, index, HEAD and FETCH_HEAD stay, no hook runs", async () => {
  for (const hook of ['post-merge', 'reference-transaction', 'post-checkout', 'pre-auto-gc']) {
    const file = join(at.repository, '.git/hooks', hook);
    execFileSync('mkdir', ['-p', join(file, '..')]);
    writeFileSync(file, `#!/bin/sh\ntouch ${at.area}/sprung\n`);
    chmodSync(file, 0o755);
  }
  at.write('a.txt', 'uncommitted\n');
  const index = statSync(join(at.repository, '.git/index')).mtimeMs;
  const one = await step('a.txt', '1\n');
  await advanceBranch(mirror, taskId, one);
  expect(await publishBranch({ mirror, repository: at.repository, taskId })).toEqual({
    published: true,
    branch,
    commit: one,
  });
  const two = await step('b.txt', 'more\n');
  await advanceBranch(mirror, taskId, two);
  expect(await publishBranch({ mirror, repository: at.repository, taskId })).toMatchObject({
    published: true,
    commit: two,
  });
  expect(await publishBranch({ mirror, repository: at.repository, taskId })).toMatchObject({
    published: true,
    commit: two,
  });
  expect(statSync(join(at.repository, '.git/index')).mtimeMs).toBe(index);
  expect(existsSync(join(at.repository, '.git/FETCH_HEAD'))).toBe(false);
  expect(existsSync(join(at.area, 'sprung'))).toBe(false);
  expect(readFileSync(join(at.repository, 'a.txt'), 'utf8')).toBe('uncommitted\n');
  expect([
    at.git('rev-parse', branch),
    at.git('rev-parse', 'HEAD'),
    at.git('branch', '--show-current'),
  ]).toEqual([two, at.commit, 'main']);
  expect(at.git('for-each-ref', '--format=%(refname)')).toBe(`refs/heads/main\nrefs/heads/${branch}`);
});

test('publish: nothing to publish, a branch that is checked out, and one with commits of its own are refused', async () => {
  const publish = () => publishBranch({ mirror, repository: at.repository, taskId });
  expect(await publish()).toMatchObject({
    published: false,
    reason: expect.stringMatching(/changed nothing/),
  });
  await advanceBranch(mirror, taskId, await step('a.txt', '1\n'));
  await publish();
  at.git('checkout', '--quiet', branch);
  await advanceBranch(mirror, taskId, await step('a.txt', '2\n'));
  expect(await publish()).toMatchObject({
    published: false,
    reason: expect.stringMatching(/checked out in .*git switch -/),
  });
  at.git('commit', '--quiet', '--allow-empty', '--message=mine');
  at.git('checkout', '--quiet', 'main');
  expect(await publish()).toMatchObject({
    published: false,
    reason: expect.stringMatching(/commits of its own.*git branch -m/),
  });
});

async function published(path: string, text: string): Promise<string> {
  const commit = await step(path, text);
  await advanceBranch(mirror, taskId, commit);
  await publishBranch({ mirror, repository: at.repository, taskId });
  return commit;
}
const apply = () => applyBranch({ repository: at.repository, taskId });

test('apply: fast-forward where that is possible; again is already there', async () => {
  const commit = await published('a.txt', 'one\n');
  at.write('b.txt', 'uncommitted, elsewhere\n');
  expect(await apply()).toEqual({ applied: true, how: 'fast_forward', commit, files: ['a.txt'] });
  expect(readFileSync(join(at.repository, 'a.txt'), 'utf8')).toBe('one\n');
  expect(readFileSync(join(at.repository, 'b.txt'), 'utf8')).toBe('uncommitted, elsewhere\n');
  expect(await apply()).toMatchObject({ applied: true, how: 'already_there' });
});

test('apply: a merge commit where the checkout has moved on', async () => {
  await published('a.txt', 'one\n');
  at.write('b.txt', 'mine\n');
  at.git('commit', '--quiet', '--all', '--message=mine');
  const result = await apply();
  expect(result).toMatchObject({
    applied: true,
    how: 'merge',
    files: ['a.txt'],
    commit: at.git('rev-parse', 'HEAD'),
  });
  expect(at.git('log', '-1', '--format=%s')).toBe(`Merge branch '${branch}'`);
  expect(readFileSync(join(at.repository, 'a.txt'), 'utf8')).toBe('one\n');
});

test('apply: a repository that was made anew is told apart from a conflict', async () => {
  await step('b.txt', 'branch\n');
  await advanceBranch(mirror, taskId, workspace.head());
  await publishBranch({ mirror, repository: at.repository, taskId });
  for (const words of [
    ['checkout', '--quiet', '--orphan', 'anew'],
    ['commit', '--quiet', '-m', 'anew'],
  ])
    execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@localhost', ...words], {
      cwd: at.repository,
    });
  expect(await applyBranch({ repository: at.repository, taskId })).toEqual({
    applied: false,
    reason: expect.stringMatching(/shares no history with the branch: it was made anew/),
    files: [],
  });
});

test('apply: uncommitted changes in the same files, tracked or new, are refused by name', async () => {
  await published('a.txt', 'one\n');
  await published('new.txt', 'new\n');
  at.write('a.txt', 'uncommitted\n');
  expect(await apply()).toMatchObject({
    applied: false,
    files: ['a.txt'],
    reason: expect.stringMatching(/Commit or stash/),
  });
  at.git('checkout', '--', 'a.txt');
  at.write('new.txt', 'mine\n');
  expect(await apply()).toMatchObject({ applied: false, files: ['new.txt'] });
  expect(readFileSync(join(at.repository, 'new.txt'), 'utf8')).toBe('mine\n');
  rmSync(join(at.repository, 'new.txt'));
  expect(await apply()).toMatchObject({ applied: true });
});

test('apply: a conflict is undone and reported, an unfinished merge and a missing branch are refused', async () => {
  expect(await apply()).toMatchObject({ applied: false, reason: expect.stringMatching(/no branch/) });
  await published('a.txt', 'theirs\n');
  at.write('a.txt', 'mine\n');
  at.git('commit', '--quiet', '--all', '--message=mine');
  const head = at.git('rev-parse', 'HEAD');
  expect(await apply()).toMatchObject({
    applied: false,
    files: ['a.txt'],
    reason: expect.stringMatching(/git merge switchyard\/task-1/),
  });
  expect([at.git('rev-parse', 'HEAD'), at.git('status', '--porcelain')]).toEqual([head, '']);
  try {
    at.git('merge', branch);
  } catch {
    // The conflict that was just reported, now left open.
  }
  expect(await apply()).toMatchObject({ applied: false, reason: expect.stringMatching(/unfinished/) });
});

test('apply: into a bare repository nothing is merged, and what to do there is said', async () => {
  await published('a.txt', 'theirs\n');
  at.git('config', 'core.bare', 'true');
  expect(await apply()).toMatchObject({
    applied: false,
    reason: expect.stringMatching(/is bare.*Fetch switchyard\/task-1 from it/),
  });
});
