import { type GitRequest, tryGit } from './git.ts';

/** Whether git leaves this path out of commits: a change there would be lost with the worktree. */
export async function isIgnored(worktree: GitRequest, path: string): Promise<boolean> {
  if (path === '') return false;
  // Exit code 1 is no; 128 is a path beyond a link, which the walk along the real path judges.
  return (await tryGit(['check-ignore', '--quiet', '--', path], worktree)).exitCode === 0;
}
