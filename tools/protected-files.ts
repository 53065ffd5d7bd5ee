import { removeFile } from './file.ts';
import { git, requireObjectId, splitNul } from './git.ts';
import { protectedBy } from './policy.ts';
import { stageAll } from './step-commit.ts';
import type { ToolPolicy } from './tool.ts';
import type { Workspace } from './workspace.ts';

/**
 * Makes the protected files those of the base commit again: changed and removed ones are put back, added ones
 * are removed.
 *
 * @returns the real paths that had to be put right.
 */
export async function restoreProtected(
  workspace: Workspace,
  baseCommit: string,
  policy: ToolPolicy,
): Promise<string[]> {
  if (policy.protect.length === 0) return [];
  const worktree = workspace.git();
  await stageAll(worktree);
  const flags = ['--cached', '-z', '--no-renames', '--name-status', '--ignore-submodules=all'];
  const changed = splitNul(await git(['diff-index', ...flags, requireObjectId(baseCommit)], worktree));
  const added: string[] = [];
  const inBase: string[] = [];
  for (let at = 0; at + 1 < changed.length; at += 2) {
    const path = changed[at + 1]!;
    if (protectedBy(policy, path) !== undefined) (changed[at] === 'A' ? added : inBase).push(path);
  }
  // Added ones first: one of them may stand where a directory of the base has to be again.
  for (const path of added) await removeFile(workspace.path, path);
  if (inBase.length > 0) {
    const input = inBase.map((path) => `${path}\0`).join('');
    const flagsOfCheckout = ['--quiet', '--force', '--pathspec-from-file=-', '--pathspec-file-nul'];
    await git(['checkout', ...flagsOfCheckout, baseCommit], { ...worktree, input });
  }
  return [...added, ...inBase].toSorted();
}
