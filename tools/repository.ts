import { realpathSync, statSync } from 'node:fs';
import { isAbsolute, sep } from 'node:path';
import { git, GitError, splitNul, tryGit } from './git.ts';

/** What is so about a repository that a task names. Facts only; whether they suffice is for others to decide. */
export interface RepositoryFacts {
  exists: boolean;
  isGit: boolean;
  /** Real path of the checkout's top directory (of the repository itself if it is bare); null where there is none. */
  realPath: string | null;
  insideRoots: boolean;
  /** Full id of the commit that is checked out; null before the first commit. */
  headCommit: string | null;
  /** Null where no branch is checked out. */
  branch: string | null;
  /** Files changed, staged or new and not ignored: they are not part of the task's work. */
  uncommittedFiles: number;
  /** Why it cannot be worked on, with the mend; absent where it can. */
  reason?: string;
}

const nothing: RepositoryFacts = {
  exists: false,
  isGit: false,
  realPath: null,
  insideRoots: false,
  headCommit: null,
  branch: null,
  uncommittedFiles: 0,
};

/**
 * Looks at a repository without changing it and without running anything that its settings name.
 *
 * @param roots directories that the operator allows repositories in.
 */
export async function inspectRepository(
  path: string,
  options: { roots: string[] },
): Promise<RepositoryFacts> {
  if (path.includes('\0') || !isAbsolute(path)) {
    return { ...nothing, reason: `The repository ${JSON.stringify(path)} is not an absolute path.` };
  }
  let start: string;
  try {
    start = realpathSync(path);
    if (!statSync(start).isDirectory())
      return { ...nothing, exists: true, reason: `${path} is not a directory.` };
  } catch (error) {
    return { ...nothing, reason: whyUnreachable(error as NodeJS.ErrnoException, path) };
  }
  const facts: RepositoryFacts = {
    ...nothing,
    exists: true,
    realPath: start,
    insideRoots: isInside(start, options.roots),
  };
  // Nothing is asked of git before the place is known to be allowed.
  if (!facts.insideRoots) return { ...facts, reason: outside(start, options.roots) };

  const place = await tryGit(['rev-parse', '--is-bare-repository', '--is-inside-git-dir'], {
    directory: start,
  });
  if (place.exitCode !== 0) return { ...facts, reason: whyNotGit(path, start, place.stderr) };
  const [isBare, isInsideGitDirectory] = place.stdout.split('\n');
  if (isBare !== 'true' && isInsideGitDirectory === 'true') {
    return {
      ...facts,
      reason: `${path} is inside git's own directory. Name the checkout's directory instead.`,
    };
  }
  const top = await git(['rev-parse', isBare === 'true' ? '--absolute-git-dir' : '--show-toplevel'], {
    directory: start,
  });
  const realPath = realpathSync(top.replace(/\n$/, ''));
  const insideRoots = isInside(realPath, options.roots);
  const found = { ...facts, isGit: true, realPath, insideRoots };
  if (!insideRoots) return { ...found, reason: outside(realPath, options.roots) };

  const head = await tryGit(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], { directory: realPath });
  const branch = await tryGit(['symbolic-ref', '--quiet', '--short', 'HEAD'], { directory: realPath });
  const whole = {
    ...found,
    headCommit: head.exitCode === 0 ? head.stdout.trim() : null,
    branch: branch.exitCode === 0 ? branch.stdout.trim() : null,
  };
  if (whole.headCommit === null) {
    return {
      ...whole,
      reason: `${realPath} has no commit yet. Make one first, e.g. git add -A && git commit`,
    };
  }
  return { ...whole, uncommittedFiles: isBare === 'true' ? 0 : await countUncommitted(realPath) };
}

async function countUncommitted(directory: string): Promise<number> {
  // Git would pass changed files through the filter programs that the repository's own settings name.
  const configured = await tryGit(['config', '--null', '--name-only', '--get-regexp', '^filter\\.'], {
    directory,
  });
  const off = splitNul(configured.stdout).flatMap((name) => [
    '-c',
    `${name}${name.endsWith('.required') ? '=false' : '='}`,
  ]);
  const words = [
    'status',
    '--porcelain=v1',
    '-z',
    '--no-renames',
    '--untracked-files=all',
    '--ignore-submodules=all',
  ];
  const status = await git([...off, ...words], { directory });
  return splitNul(status).length;
}

function isInside(path: string, roots: string[]): boolean {
  return roots.some((root) => {
    try {
      const real = realpathSync(root);
      return path === real || path.startsWith(real.endsWith(sep) ? real : real + sep);
    } catch {
      return false;
    }
  });
}

function outside(path: string, roots: string[]): string {
  const list = roots.join(', ') || 'none';
  return `${path} is outside the allowed directories (${list}). The operator can add one to allow.repositories in switchyard.yaml.`;
}

function whyUnreachable(error: NodeJS.ErrnoException, path: string): string {
  if (error.code === 'ENOENT') return `${path} does not exist.`;
  if (error.code === 'EACCES') return `${path} may not be read by this user.`;
  return `${path} cannot be reached: ${error.message}`;
}

function whyNotGit(path: string, real: string, stderr: string): string {
  if (/dubious ownership|unsafe repository/.test(stderr)) {
    const owner = statSync(real).uid;
    return (
      `${path} belongs to another user (uid ${owner}, we run as uid ${process.getuid?.() ?? '?'}), so git does not trust ` +
      'what its settings may start. Run Switchyard as its owner, or give the files to this user with chown -R.'
    );
  }
  if (/not a git repository/.test(stderr))
    return `${path} is not a git repository. Make it one with git init and a first commit.`;
  return `git cannot read ${path}: ${new GitError(['rev-parse'], 128, stderr).message}`;
}
