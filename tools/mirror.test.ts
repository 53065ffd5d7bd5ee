import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { git } from './git.ts';
import { ensureMirror, listMirrors } from './mirror.ts';
import { makeRepository, type TestRepository } from './repository-for-tests.ts';

let at: TestRepository;
beforeEach(() => {
  at = makeRepository();
});
afterEach(() => at.remove());

/** Every file of the user's repository with its time and content. */
function everything(directory: string): string {
  return execFileSync('sh', ['-c', 'find . -type f -printf "%p %T@ %m\\n" | sort; git for-each-ref'], {
    cwd: directory,
    encoding: 'utf8',
  });
}

test("mirror: it has the commit, and the user's repository is as before", async () => {
  const before = everything(at.repository);
  const mirror = await ensureMirror({
    stateDirectory: at.state,
    repository: at.repository,
    commit: at.commit,
  });
  expect((await git(['rev-parse', `refs/switchyard/base/${at.commit}`], { directory: mirror })).trim()).toBe(
    at.commit,
  );
  expect((await git(['config', 'gc.auto'], { directory: mirror })).trim()).toBe('0');
  expect(everything(at.repository)).toBe(before);
  expect(await listMirrors(at.state)).toEqual([mirror]);
});

test('mirror: a later commit is fetched, a known one costs no fetch, an unknown one is an error', async () => {
  const mirror = await ensureMirror({
    stateDirectory: at.state,
    repository: at.repository,
    commit: at.commit,
  });
  at.write('a.txt', 'later\n');
  // Of no branch: only the commit's id leads to it.
  at.git('checkout', '--quiet', '--detach');
  at.git('commit', '--quiet', '--all', '--message=later');
  const later = at.git('rev-parse', 'HEAD');
  at.git('checkout', '--quiet', 'main');
  const before = everything(at.repository);
  expect(await ensureMirror({ stateDirectory: at.state, repository: at.repository, commit: later })).toBe(
    mirror,
  );
  expect((await git(['show', `${later}:a.txt`], { directory: mirror })).trim()).toBe('later');
  expect(everything(at.repository)).toBe(before);
  const unknown = ensureMirror({
    stateDirectory: at.state,
    repository: at.repository,
    commit: '1'.repeat(40),
  });
  await expect(unknown).rejects.toThrow(/git fetch failed/);
  const noCommit = ensureMirror({
    stateDirectory: at.state,
    repository: at.repository,
    commit: '--upload-pack=x',
  });
  await expect(noCommit).rejects.toThrow(/not a full commit id/);
});

test('mirror: eight at once make one, and what a killed process left half done is made anew', async () => {
  const hashes = await Promise.all(
    Array.from({ length: 8 }, () =>
      ensureMirror({ stateDirectory: at.state, repository: at.repository, commit: at.commit }),
    ),
  );
  expect(new Set(hashes).size).toBe(1);
  const other = makeRepository();
  const mirror = hashes[0]!;
  mkdirSync(mirror.replace('.git', '.unfinished'));
  const again = await ensureMirror({
    stateDirectory: at.state,
    repository: other.repository,
    commit: other.commit,
  });
  expect(again).not.toBe(mirror);
  expect(statSync(join(again, 'HEAD')).isFile()).toBe(true);
  other.remove();
});

test("mirror: the user's hooks, templates and branches of earlier tasks do not come along", async () => {
  at.git('branch', 'switchyard/earlier');
  at.git('config', 'core.fsmonitor', '/bin/false');
  const mirror = await ensureMirror({
    stateDirectory: at.state,
    repository: at.repository,
    commit: at.commit,
  });
  expect(await git(['for-each-ref', '--format=%(refname)', 'refs/heads'], { directory: mirror })).toBe(
    'refs/heads/main\n',
  );
  expect(readdirSync(mirror)).not.toContain('hooks');
  expect(readFileSync(join(mirror, 'config'), 'utf8')).not.toContain('fsmonitor');
});

const elsewhere = '/dev/shm';
const isOtherDisk = existsSync(elsewhere) && statSync(elsewhere).dev !== statSync(tmpdir()).dev;
const noOther = isOtherDisk ? '' : ` (skipped: ${elsewhere} is not there, or no disk of its own)`;

test.skipIf(!isOtherDisk)(`mirror: the repository may be on another disk${noOther}`, async () => {
  const state = mkdtempSync(join(elsewhere, 'switchyard-'));
  try {
    const mirror = await ensureMirror({
      stateDirectory: state,
      repository: at.repository,
      commit: at.commit,
    });
    expect((await git(['rev-parse', 'HEAD'], { directory: mirror })).trim()).toBe(at.commit);
  } finally {
    rmSync(state, { recursive: true });
  }
});
