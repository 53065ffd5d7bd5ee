import { branchOf } from '../schemas/branch.ts';
import { fetchFlags, git, type GitRequest, hasCommit, requireObjectId, splitNul, tryGit } from './git.ts';

/** The branch of a task, as git takes it. */
const nameOf = (taskId: string): string => branchOf(requireName(taskId));

/**
 * A task's or run's id as part of a ref's name.
 *
 * @throws Error when git would not take it, or read it as something else.
 */
export function requireName(name: string): string {
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.|lock$|$)){0,99}$/.test(name)) {
    throw new Error(
      `${JSON.stringify(name)} cannot be part of a branch's name: use letters, digits, "-", "_" and ".".`,
    );
  }
  return name;
}

/**
 * Moves the task's branch in the mirror to a commit, forward only: where the branch already is at the commit or
 * beyond it, nothing happens. It is moved from stored events, so a late or repeated call is harmless.
 *
 * @returns where the branch is now; `moved` false with a reason where the commit does not follow from it.
 */
export async function advanceBranch(
  mirror: string,
  taskId: string,
  commit: string,
): Promise<{ commit: string; moved: boolean; reason?: string }> {
  const ref = `refs/heads/${nameOf(taskId)}`;
  requireObjectId(commit);
  const request: GitRequest = { directory: mirror };
  for (;;) {
    const now = (await tryGit(['rev-parse', '--verify', '--quiet', ref], request)).stdout.trim();
    if (now === commit) return { commit, moved: false };
    if (now !== '' && !(await isAncestor(now, commit, request))) {
      if (await isAncestor(commit, now, request)) return { commit: now, moved: false };
      return {
        commit: now,
        moved: false,
        reason: `${commit} does not follow from ${now}, where ${nameOf(taskId)} is`,
      };
    }
    const moved = await tryGit(
      ['update-ref', ref, commit, now === '' ? '0'.repeat(commit.length) : now],
      request,
    );
    if (moved.exitCode === 0) return { commit, moved: true };
    const after = (await tryGit(['rev-parse', '--verify', '--quiet', ref], request)).stdout.trim();
    // Somebody else moved it: look again. Anything else is a fault of ours.
    if (after === now)
      throw new Error(`The branch ${nameOf(taskId)} could not be moved: ${moved.stderr.trim()}`);
  }
}

async function isAncestor(older: string, newer: string, request: GitRequest): Promise<boolean> {
  const answer = await tryGit(['merge-base', '--is-ancestor', older, newer], request);
  if (answer.exitCode > 1)
    throw new Error(`git cannot compare ${older} and ${newer}: ${answer.stderr.trim()}`);
  return answer.exitCode === 0;
}

/**
 * Brings the task's branch from the mirror into the user's repository, forward only. Nothing else there is
 * touched: no checkout, no index, no FETCH_HEAD, no hooks, no clean-up.
 */
export async function publishBranch(request: {
  mirror: string;
  repository: string;
  taskId: string;
}): Promise<{ published: true; branch: string; commit: string } | { published: false; reason: string }> {
  const branch = nameOf(request.taskId);
  const ref = `refs/heads/${branch}`;
  const mine = await tryGit(['rev-parse', '--verify', '--quiet', ref], { directory: request.mirror });
  if (mine.exitCode !== 0)
    return { published: false, reason: `There is no branch ${branch}: the task changed nothing.` };
  const commit = mine.stdout.trim();
  const user: GitRequest = { directory: request.repository };
  const theirs = (await tryGit(['rev-parse', '--verify', '--quiet', ref], user)).stdout.trim();
  if (theirs === commit) return { published: true, branch, commit };
  const checkedOut = await checkoutOf(ref, user);
  if (checkedOut !== undefined) {
    return {
      published: false,
      reason: `${branch} is checked out in ${checkedOut}, so it cannot be moved. Switch to another branch there, e.g. git switch -`,
    };
  }
  if (theirs !== '' && !(await isPast(theirs, commit, request.mirror))) {
    return {
      published: false,
      reason: `${branch} in ${request.repository} has commits of its own. Rename it first: git branch -m ${branch} ${branch}-mine`,
    };
  }
  const settings = ['-c', 'fetch.writeCommitGraph=false', '-c', 'fetch.prune=false'];
  const fetched = await tryGit([...settings, 'fetch', ...fetchFlags, request.mirror, `${ref}:${ref}`], user);
  if (fetched.exitCode === 0) return { published: true, branch, commit };
  return {
    published: false,
    reason: `${branch} could not be brought into ${request.repository}: ${fetched.stderr.trim()}`,
  };
}

/** Whether a commit, maybe one that the mirror has never seen, is behind another. */
async function isPast(older: string, newer: string, mirror: string): Promise<boolean> {
  return (await hasCommit(mirror, older)) && (await isAncestor(older, newer, { directory: mirror }));
}

async function checkoutOf(ref: string, request: GitRequest): Promise<string | undefined> {
  const list = await git(['worktree', 'list', '--porcelain'], request);
  const blocks = list.split('\n\n').map((block) => block.split('\n'));
  return blocks.find((lines) => lines.includes(`branch ${ref}`))?.[0]?.replace(/^worktree /, '');
}

/** What came of bringing a task's branch into the checkout. */
export type ApplyResult =
  | { applied: true; how: 'fast_forward' | 'merge' | 'already_there'; commit: string; files: string[] }
  | { applied: false; reason: string; files: string[] };

/**
 * Merges the published branch of a task into what the user has checked out, as the user and because they said
 * so: fast-forward if that is possible, else with a merge commit. A conflict is undone and reported.
 */
export async function applyBranch(request: { repository: string; taskId: string }): Promise<ApplyResult> {
  const branch = nameOf(request.taskId);
  const user: GitRequest = { directory: request.repository, asUser: true };
  const refuse = (reason: string, files: string[] = []): ApplyResult => ({ applied: false, reason, files });

  const tip = await tryGit(['rev-parse', '--verify', '--quiet', `refs/heads/${branch}^{commit}`], user);
  if (tip.exitCode !== 0) return refuse(`There is no branch ${branch} in ${request.repository}.`);
  const bare = await tryGit(['rev-parse', '--is-bare-repository'], user);
  if (bare.stdout.trim() === 'true')
    return refuse(`It is bare, so nothing is checked out there. Fetch ${branch} from it and merge that.`);
  const head = await tryGit(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], user);
  if (head.exitCode !== 0) return refuse(`${request.repository} has nothing checked out to merge into.`);
  const [theirs, mine] = [tip.stdout.trim(), head.stdout.trim()];
  if (await isAncestor(theirs, mine, user))
    return { applied: true, how: 'already_there', commit: mine, files: [] };
  for (const unfinished of ['MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'REBASE_HEAD']) {
    const found = await tryGit(['rev-parse', '--verify', '--quiet', unfinished], user);
    if (found.exitCode === 0)
      return refuse('Another merge or rebase is unfinished there. Finish or abort it first.');
  }

  const shared = await tryGit(['merge-base', mine, theirs], user);
  if (shared.exitCode !== 0)
    return refuse(
      `${request.repository} shares no history with the branch: it was made anew, or its history was written anew, since the task began.`,
    );
  const touched = splitNul(
    await git(['diff', '--name-only', '--no-renames', '-z', `${mine}...${theirs}`], user),
  );
  const status = splitNul(
    await git(['status', '--porcelain=v1', '-z', '--no-renames', '--untracked-files=all'], user),
  );
  const dirty = new Set(status.map((line) => line.slice(3)));
  const inTheWay = touched.filter((file) => dirty.has(file));
  if (inTheWay.length > 0) {
    return refuse(
      `There are uncommitted changes in files that the branch changes. Commit or stash them first.`,
      inTheWay,
    );
  }

  const quick = await tryGit(['merge', '--quiet', '--ff-only', '--no-stat', theirs], user);
  if (quick.exitCode === 0) return { applied: true, how: 'fast_forward', commit: theirs, files: touched };
  if (await isAncestor(mine, theirs, user))
    return refuse(`git could not move the checkout: ${quick.stderr.trim()}`);
  const message = ['-m', `Merge branch '${branch}'`];
  const identified = { ...user, environment: await identity(user) };
  const merged = await tryGit(['merge', '--quiet', '--no-ff', '--no-stat', ...message, theirs], identified);
  if (merged.exitCode === 0) {
    const commit = (await git(['rev-parse', 'HEAD'], user)).trim();
    return { applied: true, how: 'merge', commit, files: touched };
  }
  const conflicts = splitNul((await tryGit(['diff', '--name-only', '--diff-filter=U', '-z'], user)).stdout);
  await tryGit(['merge', '--abort'], user);
  if (conflicts.length === 0)
    return refuse(`git could not merge: ${(merged.stderr || merged.stdout).trim()}`);
  return refuse(
    `The branch and the checkout change the same lines; nothing was changed. Merge by hand: git merge ${branch}`,
    conflicts,
  );
}

/** A name for the merge commit, for those who have told git none. */
async function identity(user: GitRequest): Promise<Record<string, string>> {
  const known = await tryGit(['-c', 'user.useConfigOnly=true', 'var', 'GIT_COMMITTER_IDENT'], user);
  if (known.exitCode === 0) return {};
  return switchyardIdentity;
}

/** Who the commits of the work are by. */
export const switchyardIdentity = {
  GIT_AUTHOR_NAME: 'Switchyard',
  GIT_AUTHOR_EMAIL: 'switchyard@localhost',
  GIT_COMMITTER_NAME: 'Switchyard',
  GIT_COMMITTER_EMAIL: 'switchyard@localhost',
};
