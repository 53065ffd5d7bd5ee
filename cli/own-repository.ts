import { spawnSync } from 'node:child_process';
import { realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { parseCommandLine } from '../schemas/command-line.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';

/**
 * The real path of a git repository that a person names for work, which allows it: the top of a checkout or a bare
 * repository, with a commit. Whatever lies below an allowed folder is allowed with it, so the whole machine and the
 * home folder are refused. Throws CommandError with exit code 2.
 */
export function requireOwnRepository(named: string): string {
  const path = realFolder(named);
  if (path === resolve('/') || path === realHome())
    throw refusal(
      `${named} is ${path === resolve('/') ? 'the whole machine' : 'your home folder'}; all that lies below it would be allowed`,
      "name the repository's own folder",
    );
  const isBare = git(path, '--is-bare-repository');
  if (isBare.status !== 0) throw refusal(whyNotGit(named, isBare.stderr), mendOf(isBare.stderr));
  const top = git(path, isBare.stdout.trim() === 'true' ? '--absolute-git-dir' : '--show-toplevel');
  const real = top.status === 0 ? realpathSync(top.stdout.replace(/\n$/, '')) : undefined;
  if (real === undefined)
    throw refusal(`${named} is inside git's own folder`, "name the checkout's folder instead");
  if (real !== path) throw refusal(`${named} is a part of the repository ${real}`, `name that: ${real}`);
  if (git(path, '--verify', '--quiet', 'HEAD^{commit}').status !== 0)
    throw refusal(`${named} has no commit yet`, 'git add -A && git commit');
  return path;
}

/** A command that a person names for work, which allows it; the option's name is for the message. Throws CommandError with exit code 2. */
export function requireCommand(option: string, command: string | undefined): void {
  if (command === undefined) return;
  try {
    parseCommandLine(command);
  } catch (error) {
    throw refusal(`${option}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const refusal = (problem: string, mend?: string) => new CommandError(problem, mend, exitCodes.usage);

function realFolder(named: string): string {
  let real: string;
  try {
    real = realpathSync(named);
  } catch (failure) {
    const isMissing = (failure as NodeJS.ErrnoException).code === 'ENOENT';
    const why = isMissing ? 'it does not exist' : (failure as Error).message;
    throw refusal(`${named} cannot be read (${why}); name the repository's folder`);
  }
  if (statSync(real).isDirectory()) return real;
  throw refusal(`${named} is no folder; name the repository's folder`);
}

function realHome(): string | undefined {
  try {
    return realpathSync(homedir());
  } catch {
    return undefined;
  }
}

/** Asks git where things are, which starts nothing that the repository's settings name. */
function git(
  directory: string,
  ...words: string[]
): { status: number | null; stdout: string; stderr: string } {
  const { error, ...answer } = spawnSync('git', ['rev-parse', ...words], {
    cwd: directory,
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      LC_ALL: 'C',
      HOME: '/nonexistent',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
    },
  });
  // There is no git.
  if (error) throw error;
  return answer;
}

function whyNotGit(named: string, stderr: string): string {
  if (/dubious ownership/.test(stderr))
    return `${named} belongs to another user, so git does not trust what its settings may start`;
  if (/not a git repository/.test(stderr)) return `${named} is not a git repository`;
  return `git cannot read ${named}: ${stderr.trim().split('\n').at(-1)}`;
}

function mendOf(stderr: string): string {
  if (/dubious ownership/.test(stderr))
    return 'run Switchyard as its owner, or give the files to this user with chown -R';
  return "name a repository's folder, or make it one with git init and a first commit";
}
