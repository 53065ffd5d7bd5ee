import { existsSync } from 'node:fs';
import { mkdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { git, GitError, type GitRequest, requireObjectId } from './git.ts';
import { withLock } from './lock.ts';
import { mirrorLock } from './mirror.ts';
import { processIdentity } from './process-identity.ts';
import { removeTree } from './remove-tree.ts';
import { prepareWorktree, type SetupRequest, type SetupResult } from './setup.ts';
import {
  commitStep,
  diffCommits,
  findStep,
  readStepRecord,
  type StepCommit,
  type StepRequest,
} from './step-commit.ts';
import { removeDeadWorktrees, workspacesDirectory } from './dead-worktrees.ts';

/** One worktree, claimed for one task until it is released. */
export interface Workspace {
  /** Absolute real path. */
  readonly path: string;
  readonly mirror: string;
  readonly taskId: string;
  /** The commit that it is at. */
  head(): string;
  /** How to run git in it: never by what lies in the worktree. */
  git(): GitRequest;
  /** Says that files are about to change, so that they count as unknown until a commit or a reset. */
  beginChange(): void;
  /** Commits all changes as one step; where the step was done before, checks out what it came to. */
  commitStep(step: StepRequest): Promise<StepCommit>;
  findStep(stepId: string): Promise<string | undefined>;
  readStepRecord(stepId: string): Promise<string | undefined>;
  /** Makes the files those of a commit; ignored files (installed dependencies) stay. */
  reset(commit: string): Promise<void>;
  /** Unified diff, cut openly. */
  diff(from: string, to: string, maxBytes?: number): Promise<string>;
  /** Runs the operator's setup command, once per worktree and task. */
  prepare(setup: SetupRequest): Promise<SetupResult>;
  /** Gives it back to the pool. Afterwards the caller must not touch it. */
  release(): void;
}

/** The worktrees of one process. */
export interface WorkspacePool {
  /** Where they are. */
  readonly directory: string;
  /** A worktree at exactly that commit, with no file that is not in it (but for what the same task installed). */
  claim(request: { mirror: string; taskId: string; commit: string }): Promise<Workspace>;
  /** Removes all of them. */
  close(): Promise<void>;
}

interface Slot {
  readonly path: string;
  readonly mirror: string;
  readonly gitDirectory: string;
  readonly excludesFile: string;
  isBusy: boolean;
  taskId?: string;
  /** The commit whose files it is known to hold; undefined when that is not known. */
  cleanAt?: string | undefined;
  head: string;
  /** The setup that was done in it, for the task it belongs to. */
  preparedBy?: string | undefined;
  usedAt: number;
}

/** How many worktrees a pool makes before a task takes over one that another task has prepared. */
const preparedKept = 8;

/**
 * Opens a pool of detached worktrees for this process, and removes those of processes of this machine that
 * have ended.
 *
 * @param instance a name for the process, for people; its id and start time are added.
 */
export async function openPool(options: {
  stateDirectory: string;
  instance: string;
}): Promise<WorkspacePool> {
  await mkdir(workspacesDirectory(options.stateDirectory), { recursive: true });
  const stateDirectory = await realpath(options.stateDirectory);
  await removeDeadWorktrees(stateDirectory);
  const name = `${options.instance.replaceAll(/[^A-Za-z0-9-]/g, '-')}~${processIdentity()}`;
  // Two pools of one process must not share worktrees.
  const directory = await uniqueDirectory(join(workspacesDirectory(stateDirectory), name));
  const slots: Slot[] = [];
  let made = 0;
  // With those that are being made.
  let kept = 0;
  let clock = 0;

  const add = async (mirror: string, commit: string): Promise<Slot> => {
    made += 1;
    const path = join(directory, String(made));
    return await withLock(mirrorLock(mirror), async () => {
      await git(['worktree', 'add', '--quiet', '--detach', '--no-checkout', path, commit], {
        directory: mirror,
      });
      const gitDirectory = (await git(['rev-parse', '--absolute-git-dir'], { directory: path })).trim();
      const excludesFile = `${path}.excludes`;
      return { path, mirror, gitDirectory, excludesFile, isBusy: true, head: commit, usedAt: clock };
    });
  };

  const pick = (mirror: string, taskId: string, commit: string): Slot | undefined => {
    const free = slots
      .filter((slot) => !slot.isBusy && slot.mirror === mirror)
      .toSorted((a, b) => a.usedAt - b.usedAt);
    const own = free.filter((slot) => slot.taskId === taskId);
    const best = own.find((slot) => slot.cleanAt === commit) ?? own[0];
    if (best !== undefined) return best;
    return free.find((slot) => slot.preparedBy === undefined) ?? (kept < preparedKept ? undefined : free[0]);
  };

  const discard = async (slot: Slot): Promise<void> => {
    slots.splice(slots.indexOf(slot), 1);
    kept -= 1;
    await withLock(mirrorLock(slot.mirror), async () => {
      await removeTree(slot.path);
      await rm(slot.excludesFile, { force: true });
      await git(['worktree', 'prune', '--expire=now'], { directory: slot.mirror });
    });
  };

  const claim: WorkspacePool['claim'] = async ({ mirror, taskId, commit }) => {
    requireObjectId(commit);
    clock += 1;
    const known = pick(mirror, taskId, commit);
    if (known !== undefined) {
      // Taken before anything is awaited, so that no other claim picks it.
      known.isBusy = true;
      try {
        await makeReady(known, taskId, commit);
        known.usedAt = clock;
        return workspaceOf(known, taskId);
      } catch (error) {
        // What a program left may be beyond cleaning (directories without permissions): take a new one.
        await discard(known);
        if (!(error instanceof GitError)) throw error;
      }
    }
    kept += 1;
    const slot = await add(mirror, commit).catch((error: unknown) => {
      kept -= 1;
      throw error;
    });
    slots.push(slot);
    try {
      await makeReady(slot, taskId, commit);
    } catch (error) {
      await discard(slot);
      throw error;
    }
    return workspaceOf(slot, taskId);
  };

  const close = async (): Promise<void> => {
    while (slots.length > 0) await discard(slots[0]!);
    await removeTree(directory);
  };

  return { directory, claim, close };
}

async function uniqueDirectory(path: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? path : `${path}~${number}`;
    if (existsSync(candidate)) continue;
    try {
      await mkdir(candidate);
      return candidate;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

const gitIn = (slot: Slot): GitRequest => ({
  directory: slot.path,
  gitDirectory: slot.gitDirectory,
  excludesFile: slot.excludesFile,
});

async function makeReady(slot: Slot, taskId: string, commit: string): Promise<void> {
  const isOwn = slot.taskId === taskId;
  if (isOwn && slot.cleanAt === commit) return;
  if (!isOwn) {
    slot.preparedBy = undefined;
    await rm(slot.excludesFile, { force: true });
  }
  slot.taskId = taskId;
  await reset(slot, commit, isOwn ? '-ffdq' : '-ffdxq');
}

async function reset(slot: Slot, commit: string, cleaning: '-ffdq' | '-ffdxq'): Promise<void> {
  slot.cleanAt = undefined;
  await git(['checkout', '--quiet', '--force', '--detach', requireObjectId(commit)], gitIn(slot));
  await git(['clean', cleaning], gitIn(slot));
  slot.cleanAt = slot.head = commit;
}

function workspaceOf(slot: Slot, taskId: string): Workspace {
  let released = false;
  const held = (): Slot => {
    if (released) throw new Error(`The workspace ${slot.path} was released and is used again.`);
    return slot;
  };
  return {
    path: slot.path,
    mirror: slot.mirror,
    taskId,
    head: () => slot.head,
    git: () => gitIn(held()),
    beginChange: () => {
      held().cleanAt = undefined;
    },
    commitStep: async (step) => {
      const result = await commitStep(gitIn(held()), slot.mirror, step);
      if (result.adopted) await reset(slot, result.commit, '-ffdq');
      else slot.head = result.commit;
      // What was left out is still lying about.
      slot.cleanAt = result.leftOut.length === 0 ? slot.head : undefined;
      return result;
    },
    findStep: (stepId) => findStep(slot.mirror, stepId),
    readStepRecord: (stepId) => readStepRecord(slot.mirror, stepId),
    reset: (commit) => reset(held(), commit, '-ffdq'),
    diff: (from, to, maxBytes) => diffCommits(slot.mirror, from, to, maxBytes),
    prepare: async (setup) => {
      const key = JSON.stringify(setup.argv);
      if (held().preparedBy === key) return { ok: true, ran: false, output: '', durationMs: 0 };
      slot.cleanAt = undefined;
      const result = await prepareWorktree(gitIn(slot), slot.mirror, slot.excludesFile, setup);
      if (result.ok) slot.preparedBy = key;
      await reset(slot, slot.head, '-ffdq');
      return result;
    },
    release: () => {
      held().isBusy = false;
      released = true;
    },
  };
}
