import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bundleCommits, bundleRepository, mirrorFromBundle, prerequisiteOf, unbundle } from './bundle.ts';
import { git, tryGit } from './git.ts';
import { ensureMirror } from './mirror.ts';
import { makeRepository, type TestRepository } from './repository-for-tests.ts';
import { openPool } from './workspace.ts';

/** The user's host has the repository; the other one knows its path and nothing else of it. */
let at: TestRepository;
let mirror: string;
let elsewhere: string;
let base: string;
beforeEach(async () => {
  at = makeRepository();
  at.write('a.txt', 'one and more\n');
  at.git('commit', '--quiet', '--all', '--message=second');
  base = at.git('rev-parse', 'HEAD');
  mirror = await ensureMirror({ stateDirectory: at.state, repository: at.repository, commit: base });
  elsewhere = join(at.area, 'elsewhere');
});
afterEach(() => at.remove());

/** Two steps, as an agent makes them. */
async function work(state: string, of: string, from: string, run = 'run'): Promise<string> {
  const pool = await openPool({ stateDirectory: state, instance: 'coder' });
  const workspace = await pool.claim({ mirror: of, taskId: 'task', commit: from });
  let commit = from;
  for (const number of [1, 2]) {
    workspace.beginChange();
    writeFileSync(join(workspace.path, `${run}-${number}.txt`), `${run} step ${number}\n`);
    ({ commit } = await workspace.commitStep({
      stepId: `${run}/${number}`,
      message: 'a step',
      parent: commit,
      record: 'not for others',
    }));
  }
  workspace.release();
  await pool.close();
  return commit;
}

const carryRepository = async () => {
  const bytes = await bundleRepository(mirror, base);
  return mirrorFromBundle({
    stateDirectory: elsewhere,
    repository: at.repository,
    commit: base,
    bytes: bytes!,
  });
};
const sound = async (directory: string) =>
  (await tryGit(['fsck', '--full', '--strict', '--no-dangling'], { directory })).exitCode === 0;

test('bundle: what one host did goes on at another and comes back, with the same ids', async () => {
  const commit = await work(at.state, mirror, base);
  const other = await carryRepository();
  await unbundle(other, await bundleCommits(mirror, base, commit), commit);
  expect(await git(['show', `${commit}:run-2.txt`], { directory: other })).toBe('run step 2\n');
  expect(await git(['rev-list', commit], { directory: other })).toBe(
    await git(['rev-list', '--max-count=3', commit], { directory: mirror }),
  );
  expect(await sound(other)).toBe(true);

  const later = await work(elsewhere, other, commit, 'later');
  await unbundle(mirror, await bundleCommits(other, base, later), later);
  expect(await git(['show', `${later}:later-2.txt`], { directory: mirror })).toBe('later step 2\n');
  expect((await git(['rev-list', '--count', later], { directory: mirror })).trim()).toBe('6');
  expect(await sound(mirror)).toBe(true);
});

test('bundle: git reads it, it says what it builds on, and it holds no record of a step', async () => {
  const commit = await work(at.state, mirror, base);
  const bytes = await bundleCommits(mirror, base, commit);
  const file = join(at.area, 'a.bundle');
  writeFileSync(file, bytes);
  expect((await git(['bundle', 'list-heads', file], { directory: mirror })).trim()).toBe(
    `${commit} refs/switchyard/snapshots/${commit}`,
  );
  expect((await tryGit(['bundle', 'verify', file], { directory: mirror })).exitCode).toBe(0);
  expect(prerequisiteOf(bytes)).toBe(base);
  expect(prerequisiteOf((await bundleRepository(mirror, base))!)).toBeUndefined();
  const other = await carryRepository();
  await unbundle(other, bytes, commit);
  const objects = await git(['cat-file', '--batch-all-objects', '--batch-check=%(objecttype)'], {
    directory: other,
  });
  expect(objects.split('\n').filter((type) => type === 'tag')).toEqual([]);
});

test('bundle: where what it builds on is not there, or it is damaged, nothing changes and git says why', async () => {
  const commit = await work(at.state, mirror, base);
  const bytes = Buffer.from(await bundleCommits(mirror, base, commit));
  const other = await carryRepository();
  const refs = () => git(['for-each-ref'], { directory: other });
  const before = await refs();
  const later = await bundleCommits(mirror, commit, await work(at.state, mirror, commit, 'later'));
  await expect(unbundle(other, later, prerequisiteOf(later)!)).rejects.toThrow(/git fetch failed/);
  bytes[bytes.length - 30]! ^= 0xff;
  await expect(unbundle(other, bytes, commit)).rejects.toThrow(/git fetch failed/);
  await expect(unbundle(other, bytes, '--upload-pack=x')).rejects.toThrow(/not a full commit id/);
  // One commit in the name of another.
  const named = Buffer.concat([
    Buffer.from(`# v2 git bundle\n-${base}\n${commit} refs/switchyard/snapshots/${base}\n\n`),
    Buffer.from(await bundleCommits(mirror, base, commit)).subarray(
      `# v2 git bundle\n-${base}\n${commit} refs/switchyard/snapshots/${commit}\n\n`.length,
    ),
  ]);
  await expect(unbundle(other, named, base)).rejects.toThrow(`The snapshot of ${base} holds ${commit}`);
  expect(await refs()).toBe(before);
});

test('bundle: a repository comes as the files of one commit, and a later commit beside it', async () => {
  const other = await carryRepository();
  expect((await git(['rev-list', '--count', base], { directory: other })).trim()).toBe('1');
  expect(await git(['ls-tree', '-r', '--name-only', base], { directory: other })).toBe('a.txt\nsrc/b.js\n');
  expect((await git(['config', 'gc.auto'], { directory: other })).trim()).toBe('0');

  at.write('c.txt', 'three\n');
  at.git('add', '--all');
  at.git('commit', '--quiet', '--message=third');
  const next = at.git('rev-parse', 'HEAD');
  await ensureMirror({ stateDirectory: at.state, repository: at.repository, commit: next });
  const bytes = Buffer.from((await bundleRepository(mirror, next))!);
  const damaged = Buffer.from(bytes);
  damaged[damaged.length - 30]! ^= 0xff;
  const bring = (one: Uint8Array) =>
    mirrorFromBundle({ stateDirectory: elsewhere, repository: at.repository, commit: next, bytes: one });
  await expect(bring(damaged)).rejects.toThrow(/git index-pack failed/);
  expect(await sound(other)).toBe(true);
  expect(await bring(bytes)).toBe(other);
  expect(await bring(bytes)).toBe(other);
  expect(await git(['show', `${next}:c.txt`], { directory: other })).toBe('three\n');
  expect(await sound(other)).toBe(true);
  await expect(
    mirrorFromBundle({
      stateDirectory: join(at.area, 'third'),
      repository: at.repository,
      commit: base,
      bytes,
    }),
  ).rejects.toThrow(/git update-ref failed/);
  expect(readdirSync(join(at.area, 'third/repositories')).filter((name) => name.endsWith('.git'))).toEqual(
    [],
  );
});

test('bundle: above the limit a repository is not carried', async () => {
  at.write('large.bin', randomBytes(200_000).toString('base64'));
  at.write('odd\tname\n.txt', 'odd\n');
  at.git('add', '--all');
  at.git('commit', '--quiet', '--message=large');
  const large = at.git('rev-parse', 'HEAD');
  await ensureMirror({ stateDirectory: at.state, repository: at.repository, commit: large });
  expect(await bundleRepository(mirror, large, 100_000)).toBeUndefined();
  expect((await bundleRepository(mirror, large, 300_000))!.byteLength).toBeGreaterThan(200_000);
});

test('bundle: a repository with SHA-256 ids goes the same way', async () => {
  const repository = join(at.area, 'sha256');
  mkdirSync(repository);
  const run = (...args: string[]) =>
    git(args, {
      directory: repository,
      environment: {
        GIT_AUTHOR_NAME: 'a',
        GIT_AUTHOR_EMAIL: 'a@b',
        GIT_COMMITTER_NAME: 'a',
        GIT_COMMITTER_EMAIL: 'a@b',
      },
    });
  await run('init', '--quiet', '--object-format=sha256');
  await run('commit', '--quiet', '--allow-empty', '--message=first');
  const commit = (await run('rev-parse', 'HEAD')).trim();
  const own = await ensureMirror({ stateDirectory: at.state, repository, commit });
  const later = await work(at.state, own, commit);
  const bytes = (await bundleRepository(own, commit))!;
  const other = await mirrorFromBundle({ stateDirectory: elsewhere, repository, commit, bytes });
  await unbundle(other, await bundleCommits(own, commit, later), later);
  expect(await git(['show', `${later}:run-2.txt`], { directory: other })).toBe('run step 2\n');
});
