import { existsSync } from 'node:fs';
import type { Artifacts } from '../schemas/service.ts';
import {
  bundleCommits,
  bundleRepository,
  mirrorFromBundle,
  prerequisiteOf,
  repositoryLimitBytes,
  unbundle,
} from './bundle.ts';
import { GitError, hasCommit } from './git.ts';
import { withLock } from './lock.ts';
import { ensureMirror, mirrorLock, mirrorOf } from './mirror.ts';

/** A commit or a repository that this host needs can be had nowhere. */
export class NotHereError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotHereError';
  }
}

/** The names under which a run's work is found at another host; what they hold is checked by git against the id. */
export const snapshotName = (commit: string): string => `snapshot.${commit}`;
export const repositoryName = (baseCommit: string): string => `repository.${baseCommit}`;

const limit = `${repositoryLimitBytes / 1024 / 1024} MiB`;

/**
 * Makes sure that this host's mirror of a repository has a commit of a task: from the mirror itself, from the user's
 * repository where it is here, else from the object store.
 *
 * @param request.repository its path on the host that has it.
 * @param request.baseCommit where the task started; left out, the snapshot says it.
 * @param request.get reads an object by its name.
 * @returns the mirror; `wasBrought` where the commit was made on another host and came just now.
 * @throws NotHereError that names what is missing, and how to mend it.
 */
export async function bringCommit(request: {
  stateDirectory: string;
  repository: string;
  baseCommit?: string;
  commit: string;
  get: Artifacts['get'];
}): Promise<{ mirror: string; wasBrought: boolean }> {
  const { stateDirectory, repository, commit, get } = request;
  const known = mirrorOf(stateDirectory, repository);
  const isBase = commit === request.baseCommit;
  if (!isBase && existsSync(known) && (await hasCommit(known, commit)))
    return { mirror: known, wasBrought: false };
  let snapshot: Uint8Array | undefined;
  let { baseCommit } = request;
  if (baseCommit === undefined) {
    snapshot = await get(snapshotName(commit));
    baseCommit = snapshot && prerequisiteOf(snapshot);
    if (baseCommit === undefined) throw new NotHereError(missingSnapshot(commit));
  }
  const mirror = await bringRepository({ stateDirectory, repository, baseCommit, get });
  if (isBase || (await hasCommit(mirror, commit))) return { mirror, wasBrought: false };
  snapshot ??= await get(snapshotName(commit));
  if (snapshot === undefined) throw new NotHereError(missingSnapshot(commit));
  const bundle = snapshot;
  // Another process of this host may be bringing it as well.
  await withLock(mirrorLock(mirror), () => unbundle(mirror, bundle, commit));
  return { mirror, wasBrought: true };
}

async function bringRepository(request: {
  stateDirectory: string;
  repository: string;
  baseCommit: string;
  get: Artifacts['get'];
}): Promise<string> {
  const { stateDirectory, repository, baseCommit, get } = request;
  const isHere = existsSync(repository);
  let failure = '';
  try {
    if (isHere || existsSync(mirrorOf(stateDirectory, repository))) {
      return await ensureMirror({ stateDirectory, repository, commit: baseCommit });
    }
  } catch (error) {
    // What lies at that path on this host may be another repository, or an older copy.
    if (!(error instanceof GitError)) throw error;
    failure = ` (${error.message})`;
  }
  const bytes = await get(repositoryName(baseCommit));
  if (bytes === undefined) {
    const why = isHere
      ? `${repository} does not give the commit ${baseCommit} on this host${failure}`
      : `${repository} is not on this host`;
    throw new NotHereError(
      `${why}, and the object store has no ${repositoryName(baseCommit)} (an agent that runs where the repository is puts it there, unless its files pack to more than ${limit}). Run the agents where the repository is, or clone it to the same path here.`,
    );
  }
  return await mirrorFromBundle({ stateDirectory, repository, commit: baseCommit, bytes });
}

/**
 * Stores the commits of a task up to `commit`, so that any host can go on from there.
 *
 * @returns why not, where they are too large; undefined when they are stored.
 */
export async function keepSnapshot(
  mirror: string,
  baseCommit: string,
  commit: string,
  artifacts: Artifacts,
): Promise<string | undefined> {
  const bytes = await bundleCommits(mirror, baseCommit, commit);
  if (bytes.byteLength > artifacts.limitBytes) {
    return `what the task changed up to ${commit} packs to more than ${artifacts.limitBytes / 1024 / 1024} MiB: no other host can go on with it`;
  }
  await artifacts.put(snapshotName(commit), bytes);
  return undefined;
}

/** Stores what a task starts from, once for each commit. Returns as `keepSnapshot` does. */
export async function keepRepository(
  mirror: string,
  baseCommit: string,
  artifacts: Artifacts,
): Promise<string | undefined> {
  const name = repositoryName(baseCommit);
  if (await artifacts.has(name)) return undefined;
  const bytes = await bundleRepository(mirror, baseCommit);
  if (bytes === undefined)
    return `the files of ${baseCommit} pack to more than ${limit}: only hosts that hold the repository can work on it`;
  await artifacts.put(name, bytes);
  return undefined;
}

const missingSnapshot = (commit: string): string =>
  `The commit ${commit} is not on this host, and the object store has no ${snapshotName(commit)} (objects are kept for 30 days). It is on the host that made it: run the agents there.`;
