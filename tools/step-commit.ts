import { requireName, switchyardIdentity } from './branch.ts';
import { cutOpenly } from './output.ts';
import { git, type GitRequest, requireObjectId, splitNul, tryGit } from './git.ts';
import { isGitName } from './policy.ts';

/**
 * The write-once ref by which a restart knows what a step did.
 *
 * @param stepId `<runId>/<number>`
 */
function stepRef(stepId: string): string {
  const names = stepId.split('/');
  if (names.length !== 2) throw new Error(`${JSON.stringify(stepId)} is not a step's id: <runId>/<number>.`);
  return `refs/switchyard/steps/${names.map(requireName).join('/')}`;
}

/** The commit that a step ended in, or undefined if it ended in none (yet). */
export async function findStep(mirror: string, stepId: string): Promise<string | undefined> {
  const ref = stepRef(stepId);
  const found = await tryGit(['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], { directory: mirror });
  return found.exitCode === 0 ? found.stdout.trim() : undefined;
}

/** What was recorded with a step's commit, or undefined if nothing was. */
export async function readStepRecord(mirror: string, stepId: string): Promise<string | undefined> {
  const found = await tryGit(['cat-file', 'tag', stepRef(stepId)], { directory: mirror });
  if (found.exitCode !== 0) return undefined;
  return found.stdout.slice(found.stdout.indexOf('\n\n') + 2);
}

/**
 * Puts all changes of a worktree into its index, and gives the tree's id.
 *
 * Not `git add`: that looks into repositories found inside the worktree, where a program could have left
 * settings that start something outside the sandbox. Such repositories, and names that some system takes for
 * `.git`, are left out and listed.
 */
export async function stageAll(request: GitRequest): Promise<{ tree: string; leftOut: string[] }> {
  const changed = splitNul(
    await git(['diff-files', '-z', '--name-status', '--ignore-submodules=all'], request),
  );
  const untracked = splitNul(await git(['ls-files', '-z', '--others', '--exclude-standard'], request));
  const leftOut = untracked.filter((path) => path.endsWith('/') || path.split('/').some(isGitName));
  const added = untracked.filter((path) => !leftOut.includes(path));
  const removed: string[] = [];
  for (let at = 0; at + 1 < changed.length; at += 2) {
    (changed[at] === 'D' ? removed : added).push(changed[at + 1]!);
  }
  const lines = (paths: string[]): string => paths.map((path) => `${path}\0`).join('');
  if (removed.length > 0) {
    await git(['update-index', '--force-remove', '-z', '--stdin'], { ...request, input: lines(removed) });
  }
  if (added.length > 0) {
    await git(['update-index', '--add', '--replace', '-z', '--stdin'], { ...request, input: lines(added) });
  }
  return { tree: (await git(['write-tree'], request)).trim(), leftOut };
}

/** A step to be committed. */
export interface StepRequest {
  /** `<runId>/<number>` */
  stepId: string;
  message: string;
  /** Full id of the commit that the step began at. */
  parent: string;
  /** Kept with the ref and not in the commit: what the step came to, for whoever adopts it. */
  record?: string;
}

/** What a step's commit came to. */
export interface StepCommit {
  /** The commit the worktree is at now; the parent where nothing had changed. */
  commit: string;
  changed: boolean;
  /** True where the step had been committed before (by another process, or before a restart). */
  adopted: boolean;
  /** Paths that were not committed because they are repositories of their own. */
  leftOut: string[];
}

/**
 * Commits all changes as one step, under its write-once ref. Whoever creates the ref first has done the step;
 * for anyone else the answer is that commit (`adopted`), and it is up to the caller to check it out.
 */
export async function commitStep(
  request: GitRequest,
  mirror: string,
  step: StepRequest,
): Promise<StepCommit> {
  const ref = stepRef(step.stepId);
  const parent = requireObjectId(step.parent);
  const { tree, leftOut } = await stageAll(request);
  const before = await findStep(mirror, step.stepId);
  if (before !== undefined) return { commit: before, changed: true, adopted: true, leftOut };
  if (tree === (await git(['rev-parse', `${parent}^{tree}`], request)).trim()) {
    return { commit: parent, changed: false, adopted: false, leftOut };
  }
  const input = `${step.message.trim() || 'A step'}\n\nSwitchyard-Step: ${step.stepId}\n`;
  const commit = (
    await git(['commit-tree', '--no-gpg-sign', '-p', parent, tree], {
      ...request,
      input,
      environment: switchyardIdentity,
    })
  ).trim();
  const target = step.record === undefined ? commit : await recordOn(mirror, commit, step.record);
  const created = await tryGit(['update-ref', ref, target, '0'.repeat(commit.length)], { directory: mirror });
  if (created.exitCode !== 0) {
    const winner = await findStep(mirror, step.stepId);
    if (winner === undefined)
      throw new Error(`The step ${step.stepId} could not be recorded: ${created.stderr.trim()}`);
    return { commit: winner, changed: true, adopted: true, leftOut };
  }
  await git(['update-ref', '--no-deref', 'HEAD', commit], request);
  return { commit, changed: true, adopted: false, leftOut };
}

/** An annotated tag, so that commit and record come under the ref in one go. */
async function recordOn(mirror: string, commit: string, record: string): Promise<string> {
  const tagger = 'Switchyard <switchyard@localhost> 0 +0000';
  const input = `object ${commit}\ntype commit\ntag step\ntagger ${tagger}\n\n${record}`;
  return (await git(['hash-object', '-t', 'tag', '-w', '--stdin'], { directory: mirror, input })).trim();
}

/** Unified diff between two commits of a mirror, cut openly at `maxBytes`. */
export async function diffCommits(
  mirror: string,
  from: string,
  to: string,
  maxBytes = 1_000_000,
): Promise<string> {
  const range = [requireObjectId(from), requireObjectId(to)];
  const flags = ['--no-ext-diff', '--no-textconv', '--no-color', '--no-renames', '--patch'];
  return cutOpenly(await git(['diff-tree', ...flags, ...range], { directory: mirror }), maxBytes);
}
