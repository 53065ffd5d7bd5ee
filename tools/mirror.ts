import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchFlags, git, hasCommit, requireObjectId, tryGit } from './git.ts';
import { withLock } from './lock.ts';

/** Settings of every mirror: no clean-up behind our back, and what a ref names is on the disk before the ref is. */
const mirrorSettings = {
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'core.hooksPath': '/dev/null',
  'core.fsync': 'committed,reference',
  'core.fsyncMethod': 'batch',
};

/** Where the private copies of users' repositories are. */
const mirrorsDirectory = (stateDirectory: string): string => join(stateDirectory, 'repositories');

/** The lock to hold while worktrees of a mirror are added or removed, or the mirror itself is made. */
export const mirrorLock = (mirror: string): string => mirror.replace(/\.git$/, '.lock');

/** Where the private copy of a repository is, or would be. */
export function mirrorOf(stateDirectory: string, repository: string): string {
  const hash = createHash('sha256').update(repository).digest('hex').slice(0, 16);
  return join(mirrorsDirectory(stateDirectory), `${hash}.git`);
}

/**
 * Makes sure that there is a private bare copy of the user's repository that has `commit`, and gives its path.
 * Objects are shared by hard links where the disk allows it. Until a branch is published nothing is written to
 * the user's repository.
 *
 * @param repository real path, as `inspectRepository` found it.
 * @throws GitError when the repository does not have the commit.
 */
export async function ensureMirror(request: {
  stateDirectory: string;
  repository: string;
  commit: string;
}): Promise<string> {
  const { repository, commit } = request;
  requireObjectId(commit);
  const mirror = mirrorOf(request.stateDirectory, repository);
  if (existsSync(mirror) && (await isKept(mirror, commit))) return mirror;
  await withLock(mirrorLock(mirror), async () => {
    if (!existsSync(mirror)) {
      await makeMirror(mirror, (unfinished, directory) => clone(repository, unfinished, directory));
    }
    await keep(repository, mirror, commit);
  });
  return mirror;
}

/** All mirrors of a state directory. */
export async function listMirrors(stateDirectory: string): Promise<string[]> {
  const directory = mirrorsDirectory(stateDirectory);
  const names = existsSync(directory) ? await readdir(directory) : [];
  return names.filter((name) => /^[0-9a-f]{16}\.git$/.test(name)).map((name) => join(directory, name));
}

/**
 * Makes a mirror, under another name until `make` has made it whole there; what a killed process left is under the
 * lock and nobody's. To be called with the mirror's lock held.
 */
export async function makeMirror(
  mirror: string,
  make: (unfinished: string, directory: string) => Promise<void>,
): Promise<void> {
  const directory = join(mirror, '..');
  await mkdir(directory, { recursive: true });
  const unfinished = mirror.replace(/\.git$/, '.unfinished');
  await rm(unfinished, { recursive: true, force: true });
  await make(unfinished, directory);
  for (const [name, value] of Object.entries(mirrorSettings)) {
    await git(['config', name, value], { directory: unfinished });
  }
  await rename(unfinished, mirror);
}

async function clone(repository: string, unfinished: string, directory: string): Promise<void> {
  // Not `--local`: git then insists on hard links, and a repository on another disk could not be worked on.
  const flags = ['--quiet', '--bare', '--no-tags', '--template='];
  await git(['clone', ...flags, repository, unfinished], { directory });
  // Branches of earlier tasks came along; the journal is what says where a task's branch is.
  const ours = await git(['for-each-ref', '--format=delete %(refname)', 'refs/heads/switchyard/'], {
    directory: unfinished,
  });
  if (ours !== '') await git(['update-ref', '--stdin'], { directory: unfinished, input: ours });
}

/** The ref by which a mirror keeps a commit that a task starts from. */
export const keptRef = (commit: string): string => `refs/switchyard/base/${commit}`;

async function isKept(mirror: string, commit: string): Promise<boolean> {
  const found = await tryGit(['rev-parse', '--verify', '--quiet', keptRef(commit)], { directory: mirror });
  return found.exitCode === 0;
}

/** Gives the commit a ref of its own, fetched from the user's repository if the mirror has it not. */
async function keep(repository: string, mirror: string, commit: string): Promise<void> {
  if (!(await hasCommit(mirror, commit))) {
    await git(['fetch', '--quiet', ...fetchFlags, repository, commit], { directory: mirror });
  }
  await git(['update-ref', keptRef(commit), commit], { directory: mirror });
}
