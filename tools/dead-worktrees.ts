import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { git } from './git.ts';
import { withLock } from './lock.ts';
import { listMirrors, mirrorLock } from './mirror.ts';
import { removeTree } from './remove-tree.ts';
import { isDead } from './process-identity.ts';

/** Where the worktrees of all processes are, a directory for each. */
export const workspacesDirectory = (stateDirectory: string): string => join(stateDirectory, 'workspaces');

/** Removes the worktrees of processes of this machine that have ended, and gives their directories' names. */
export async function removeDeadWorktrees(stateDirectory: string): Promise<string[]> {
  const directory = workspacesDirectory(stateDirectory);
  if (!existsSync(directory)) return [];
  const dead = (await readdir(directory)).filter((name) => isDead(name.split('~').slice(1).join('~')));
  if (dead.length === 0) return [];
  for (const name of dead) await removeTree(join(directory, name));
  for (const mirror of await listMirrors(stateDirectory)) {
    await withLock(mirrorLock(mirror), () =>
      git(['worktree', 'prune', '--expire=now'], { directory: mirror }),
    );
  }
  return dead;
}
