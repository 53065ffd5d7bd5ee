import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchFlags, git, gitBytes, hasCommit, requireObjectId } from './git.ts';
import { withLock } from './lock.ts';
import { keptRef, makeMirror, mirrorLock, mirrorOf } from './mirror.ts';

/** The largest pack of a repository's files that is carried to other hosts, in bytes. */
export const repositoryLimitBytes = 32 * 1024 * 1024;
/** Files of more than this, uncompressed, are not even packed to see. */
const unpackedLimitBytes = 256 * 1024 * 1024;

const snapshotRef = (commit: string): string => `refs/switchyard/snapshots/${commit}`;

/**
 * The commits after `from` up to `to`, as a git bundle that anything with `from` can take in.
 *
 * @throws GitError when the mirror lacks one of them.
 */
export async function bundleCommits(mirror: string, from: string, to: string): Promise<Uint8Array> {
  const input = `${requireObjectId(to)}\n^${requireObjectId(from)}\n`;
  const flags = ['--revs', '--thin', '--delta-base-offset', '--stdout', '--quiet'];
  const pack = await gitBytes(['pack-objects', ...flags], { directory: mirror, input });
  // As `git bundle create` would write it, which takes a ref of its own and three times as long (format: gitformat-bundle).
  const version = to.length === 40 ? '# v2 git bundle\n' : '# v3 git bundle\n@object-format=sha256\n';
  return Buffer.concat([Buffer.from(`${version}-${from}\n${to} ${snapshotRef(to)}\n\n`), pack]);
}

/** The commit that must be there before a bundle of `bundleCommits` can be taken in; undefined where it is no such bundle. */
export function prerequisiteOf(bundle: Uint8Array): string | undefined {
  const head = Buffer.from(bundle.subarray(0, 400)).toString('latin1').split('\n\n')[0] ?? '';
  return head.startsWith('# v') ? /^-([0-9a-f]{40,64})/m.exec(head)?.[1] : undefined;
}

/**
 * Takes the commits of a bundle into a mirror, whole or not at all, and gives `commit` a ref there.
 *
 * @throws GitError when the bundle is damaged or the mirror lacks what it builds on; Error when it does not hold `commit`.
 */
export async function unbundle(mirror: string, bundle: Uint8Array, commit: string): Promise<void> {
  const ref = snapshotRef(requireObjectId(commit));
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-bundle-'));
  try {
    const file = join(folder, 'snapshot.bundle');
    await writeFile(file, bundle, { mode: 0o600 });
    await git(['fetch', '--quiet', ...fetchFlags, file, `${ref}:${ref}`], { directory: mirror });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const brought = (await git(['rev-parse', '--verify', ref], { directory: mirror })).trim();
  if (brought === commit) return;
  await git(['update-ref', '-d', ref], { directory: mirror });
  throw new Error(`The snapshot of ${commit} holds ${brought} in its place.`);
}

/**
 * The files of one commit as a git pack, without the history before it: all that a task needs of a repository. Undefined
 * where it would be larger than `limitBytes`.
 */
export async function bundleRepository(
  mirror: string,
  commit: string,
  limitBytes = repositoryLimitBytes,
): Promise<Uint8Array | undefined> {
  const files = await git(['ls-tree', '-r', '--long', '-z', requireObjectId(commit)], { directory: mirror });
  // mode, type, id, size, then a tab and the path; a submodule has no size.
  const sizes = files.split('\0').map((line) => Number(line.split('\t')[0]?.split(/ +/)[3]));
  const total = sizes.reduce((sum, size) => sum + (size || 0), 0);
  if (total > unpackedLimitBytes) return undefined;
  const input = `--shallow ${commit}\n${commit}\n`;
  const flags = ['--revs', '--delta-base-offset', '--stdout', '--quiet'];
  const pack = await gitBytes(['pack-objects', ...flags], { directory: mirror, input });
  return pack.byteLength <= limitBytes ? pack : undefined;
}

/**
 * Makes a mirror of a repository that is not on this host, or adds a commit to it, from what `bundleRepository` gave.
 * The mirror ends at that commit, as a shallow clone does.
 *
 * @param request.repository its path on the host that has it.
 * @throws GitError when the bytes are damaged or do not hold the commit.
 */
export async function mirrorFromBundle(request: {
  stateDirectory: string;
  repository: string;
  commit: string;
  bytes: Uint8Array;
}): Promise<string> {
  const { commit, bytes } = request;
  const mirror = mirrorOf(request.stateDirectory, request.repository);
  const format = requireObjectId(commit).length === 40 ? 'sha1' : 'sha256';
  await withLock(mirrorLock(mirror), async () => {
    if (existsSync(mirror)) return await takeIn(mirror, commit, bytes);
    await makeMirror(mirror, async (unfinished, directory) => {
      await git(['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, unfinished], {
        directory,
      });
      await takeIn(unfinished, commit, bytes);
    });
  });
  return mirror;
}

async function takeIn(mirror: string, commit: string, bytes: Uint8Array): Promise<void> {
  if (!(await hasCommit(mirror, commit))) {
    // First where the history ends: a process killed in between leaves no commit whose parents are sought in vain.
    await endAt(mirror, commit);
    await git(['index-pack', '--stdin'], { directory: mirror, input: bytes });
  }
  await git(['update-ref', keptRef(commit), `${commit}^{commit}`], { directory: mirror });
}

/** Says that the history of a mirror ends at a commit, beside where it ends already. */
async function endAt(mirror: string, commit: string): Promise<void> {
  const file = join(mirror, 'shallow');
  const ends = existsSync(file)
    ? (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
    : [];
  if (ends.includes(commit)) return;
  await writeFile(`${file}.new`, [...ends, commit, ''].join('\n'));
  await rename(`${file}.new`, file);
}
