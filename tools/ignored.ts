import { GitError, type GitRequest, tryGit } from './git.ts';

/**
 * Whether git leaves this path out of commits: a change there would be lost with the worktree. A path beyond a
 * link is not, as the walk along the real path judges that.
 */
export async function isIgnored(worktree: GitRequest, path: string): Promise<boolean> {
  if (path === '') return false;
  // This one command refuses literal pathspecs; "./" before it keeps a name from being read as magic.
  const args = ['check-ignore', '--quiet', '--', `./${path}`];
  const answer = await tryGit(args, { ...worktree, environment: { GIT_LITERAL_PATHSPECS: '0' } });
  if (answer.exitCode > 1 && !answer.stderr.includes('beyond a symbolic link')) {
    throw new GitError(args, answer.exitCode, answer.stderr);
  }
  return answer.exitCode === 0;
}
