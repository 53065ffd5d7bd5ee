import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { git } from './git.ts';
import { ensureMirror } from './mirror.ts';
import { makeRepository, type TestRepository } from './repository-for-tests.ts';
import { openPool, type Workspace, type WorkspacePool } from './workspace.ts';

let at: TestRepository;
let mirror: string;
let pool: WorkspacePool;
const taskId = 'task-1';

beforeEach(async () => {
  at = makeRepository({ 'a.txt': 'one\n', 'src/b.js': 'two\n', '.gitignore': 'installed/\n' });
  mirror = await ensureMirror({ stateDirectory: at.state, repository: at.repository, commit: at.commit });
  pool = await openPool({ stateDirectory: at.state, instance: 'coder' });
});
afterEach(async () => {
  await pool.close();
  at.remove();
});

const claim = (commit = at.commit, task = taskId): Promise<Workspace> =>
  pool.claim({ mirror, taskId: task, commit });
const read = (workspace: Workspace, path: string): string => readFileSync(join(workspace.path, path), 'utf8');
const write = (workspace: Workspace, path: string, text: string): void => {
  workspace.beginChange();
  mkdirSync(join(workspace.path, path, '..'), { recursive: true });
  writeFileSync(join(workspace.path, path), text);
};

test('workspace: a claim gives the files of the commit, in a worktree of its own', async () => {
  const [one, two] = await Promise.all([claim(), claim()]);
  expect(one.path).not.toBe(two.path);
  expect(one.path.startsWith(pool.directory)).toBe(true);
  expect([read(one, 'a.txt'), read(two, 'src/b.js')]).toEqual(['one\n', 'two\n']);
});

test('workspace: a step becomes one commit by Switchyard, with the trailer, under its write-once ref', async () => {
  const workspace = await claim();
  write(workspace, 'a.txt', 'changed\n');
  write(workspace, 'new/file', 'new\n');
  rmSync(join(workspace.path, 'src/b.js'));
  const step = await workspace.commitStep({ stepId: 'run-1/1', message: 'edit a.txt', parent: at.commit });
  expect(step).toEqual({ commit: workspace.head(), changed: true, adopted: false, leftOut: [] });
  expect(await workspace.findStep('run-1/1')).toBe(step.commit);
  expect(await workspace.findStep('run-1/2')).toBeUndefined();
  const shown = await git(['log', '-1', '--format=%an <%ae>|%cn|%B|%P', step.commit], { directory: mirror });
  expect(shown).toBe(
    `Switchyard <switchyard@localhost>|Switchyard|edit a.txt\n\nSwitchyard-Step: run-1/1\n|${at.commit}\n`,
  );
  const files = await git(['ls-tree', '-r', '--name-only', step.commit], { directory: mirror });
  expect(files.split('\n').filter(Boolean)).toEqual(['.gitignore', 'a.txt', 'new/file']);
  expect(await workspace.diff(at.commit, step.commit)).toMatch(/-one\n\+changed/);
  expect(await workspace.diff(at.commit, step.commit, 40)).toMatch(/bytes left out/);
});

test('workspace: a step that changed nothing makes no commit and no ref', async () => {
  const workspace = await claim();
  write(workspace, 'a.txt', 'one\n');
  expect(await workspace.commitStep({ stepId: 'run-1/1', message: 'x', parent: at.commit })).toMatchObject({
    commit: at.commit,
    changed: false,
  });
  expect(await workspace.findStep('run-1/1')).toBeUndefined();
});

test('workspace: the same step again is adopted, whatever lies in the worktree (a restart, a zombie)', async () => {
  const [first, second] = await Promise.all([claim(), claim()]);
  write(first, 'a.txt', 'by the first\n');
  write(second, 'a.txt', 'by the second\n');
  write(second, 'more', 'by the second\n');
  const parent = at.commit;
  const results = await Promise.all(
    [first, second].map((workspace) => workspace.commitStep({ stepId: 'run-1/7', message: 'x', parent })),
  );
  const [won, lost] = results[0]!.adopted ? [results[1]!, results[0]!] : [results[0]!, results[1]!];
  expect(won).toMatchObject({ adopted: false, changed: true });
  expect(lost).toMatchObject({ adopted: true, commit: won.commit });
  expect(read(first, 'a.txt')).toBe(read(second, 'a.txt'));
  expect(existsSync(join(first.path, 'more'))).toBe(existsSync(join(second.path, 'more')));
  expect([first.head(), second.head()]).toEqual([won.commit, won.commit]);
});

test('workspace: a released one is used again; the same task keeps what it installed, another gets a bare one', async () => {
  const first = await claim();
  write(first, 'a.txt', 'left behind\n');
  write(first, 'stray', 'left behind\n');
  write(first, 'installed/module', 'installed\n');
  first.release();
  const second = await claim();
  expect(second.path).toBe(first.path);
  expect(read(second, 'a.txt')).toBe('one\n');
  expect(existsSync(join(second.path, 'stray'))).toBe(false);
  expect(read(second, 'installed/module')).toBe('installed\n');
  second.release();
  const third = await claim(at.commit, 'task-2');
  expect(third.path).toBe(first.path);
  expect(existsSync(join(third.path, 'installed'))).toBe(false);
  expect(() => second.git()).toThrow(/released/);
});

test('workspace: one that is known clean at the commit is not reset, one that was touched is', async () => {
  const first = await claim();
  first.release();
  // Written behind the pool's back, so that a skipped reset shows.
  writeFileSync(join(first.path, 'witness'), '');
  const second = await claim();
  expect(existsSync(join(second.path, 'witness'))).toBe(true);
  second.beginChange();
  second.release();
  expect(existsSync(join((await claim()).path, 'witness'))).toBe(false);
});

test('workspace: links, nested repositories and directories without permission cannot outlive a reset', async () => {
  const first = await claim();
  first.beginChange();
  rmSync(join(first.path, 'src'), { recursive: true });
  symlinkSync(at.area, join(first.path, 'src'));
  mkdirSync(join(first.path, 'sub'));
  await git(['init', '--quiet'], { directory: join(first.path, 'sub') });
  mkdirSync(join(first.path, 'locked/in'), { recursive: true });
  chmodSync(join(first.path, 'locked'), 0o000);
  first.release();
  const second = await claim();
  expect(readdirSync(second.path).toSorted()).toEqual(['.git', '.gitignore', 'a.txt', 'src']);
  expect(read(second, 'src/b.js')).toBe('two\n');
  expect(existsSync(at.repository)).toBe(true);
});

test('workspace: a repository left inside is not committed and nothing in its settings is started', async () => {
  const workspace = await claim();
  const trap = join(at.area, 'trap.sh');
  writeFileSync(trap, `#!/bin/sh\ntouch ${at.area}/sprung\n`);
  chmodSync(trap, 0o755);
  const sub = join(workspace.path, 'sub');
  workspace.beginChange();
  mkdirSync(sub);
  const inside = { directory: sub };
  await git(['init', '--quiet'], inside);
  write(workspace, 'sub/file', 'x');
  await git(['add', 'file'], inside);
  await git(['-c', 'user.name=a', '-c', 'user.email=a', 'commit', '--quiet', '-m', 'x'], inside);
  for (const setting of ['core.fsmonitor', 'filter.x.clean', 'core.sshCommand'])
    await git(['config', setting, trap], inside);
  write(workspace, 'sub/.gitattributes', '* filter=x\n');
  write(workspace, 'sub/file', 'y');
  write(workspace, '.GIT/config', 'x');
  write(workspace, 'a.txt', 'changed\n');
  const step = await workspace.commitStep({ stepId: 'run-1/1', message: 'x', parent: at.commit });
  expect(step.leftOut.toSorted()).toEqual(['.GIT/config', 'sub/']);
  expect(await git(['diff', '--name-only', at.commit, step.commit], { directory: mirror })).toBe('a.txt\n');
  await workspace.reset(at.commit);
  expect(existsSync(join(at.area, 'sprung'))).toBe(false);
  expect(existsSync(sub)).toBe(false);
});

test('workspace: a directory that became a link or a file, and a file that became a directory, are committed as such', async () => {
  const workspace = await claim();
  workspace.beginChange();
  rmSync(join(workspace.path, 'src'), { recursive: true });
  symlinkSync('/etc', join(workspace.path, 'src'));
  rmSync(join(workspace.path, 'a.txt'));
  write(workspace, 'a.txt/inner', 'x\n');
  const step = await workspace.commitStep({ stepId: 'run-1/1', message: 'x', parent: at.commit });
  const tree = await git(['ls-tree', '-r', step.commit], { directory: mirror });
  expect(tree.replaceAll(/ [0-9a-f]{40}/g, '')).toBe(
    '100644 blob\t.gitignore\n100644 blob\ta.txt/inner\n120000 blob\tsrc\n',
  );
  await workspace.reset(at.commit);
  expect([read(workspace, 'src/b.js'), read(workspace, 'a.txt')]).toEqual(['two\n', 'one\n']);
});

test('workspace: a .git file that was overwritten leads git nowhere', async () => {
  const workspace = await claim();
  write(workspace, '.git', `gitdir: ${at.repository}/.git\n`);
  write(workspace, 'a.txt', 'changed\n');
  const step = await workspace.commitStep({ stepId: 'run-1/1', message: 'x', parent: at.commit });
  expect((await git(['show', `${step.commit}:a.txt`], { directory: mirror })).trim()).toBe('changed');
  expect(at.git('rev-parse', 'HEAD')).toBe(at.commit);
});

test('workspace: worktrees of a process that was killed are removed at the next start, living ones stay', async () => {
  const url = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
  const source = `const { openPool } = await import(${url('workspace.ts')});
    const pool = await openPool(${JSON.stringify({ stateDirectory: at.state, instance: 'other' })});
    await pool.claim(${JSON.stringify({ mirror, taskId, commit: at.commit })});
    console.log(pool.directory); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [directory] = (await once(child.stdout, 'data')).map((chunk) => String(chunk).trim());
  const alive = await openPool({ stateDirectory: at.state, instance: 'third' });
  expect(existsSync(directory!)).toBe(true);
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  const mine = await claim();
  const next = await openPool({ stateDirectory: at.state, instance: 'third' });
  expect(existsSync(directory!)).toBe(false);
  expect(existsSync(alive.directory)).toBe(true);
  expect(existsSync(mine.path)).toBe(true);
  expect(next.directory).not.toBe(alive.directory);
  const listed = await git(['worktree', 'list', '--porcelain'], { directory: mirror });
  expect(listed).not.toContain(directory);
  expect(listed).toContain(mine.path);
  await next.close();
  await alive.close();
});

test('workspace: sixteen claims at once in one mirror all succeed', async () => {
  const workspaces = await Promise.all(
    Array.from({ length: 16 }, (_, number) => claim(at.commit, `task-${number}`)),
  );
  expect(new Set(workspaces.map((workspace) => workspace.path)).size).toBe(16);
});

test('workspace: a step id that git would read as something else is refused', async () => {
  const workspace = await claim();
  for (const stepId of ['run', 'run/1/2', '../heads/main', 'run/..', '-x/1', 'run/1.lock', 'run/ 1']) {
    await expect(workspace.findStep(stepId), stepId).rejects.toThrow();
  }
});
