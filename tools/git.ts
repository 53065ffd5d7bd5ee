import { spawn } from 'node:child_process';
import { homedir } from 'node:os';

/** A git command that failed. `stderr` is git's own, in English. */
export class GitError extends Error {
  readonly exitCode: number;
  readonly stderr: string;
  constructor(args: string[], exitCode: number, stderr: string) {
    super(
      `git ${args.find((word) => !word.startsWith('-')) ?? ''} failed: ${explain(stderr) || `exit code ${exitCode}`}`,
    );
    this.name = 'GitError';
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

export interface GitRequest {
  /** Where it runs; with `gitDirectory` set it is the worktree and git looks for nothing itself. */
  directory: string;
  /** The git directory of the worktree, as recorded when it was made: what lies in the worktree is not asked. */
  gitDirectory?: string;
  /** More names that git leaves alone in this worktree, as of `.gitignore`. */
  excludesFile?: string;
  input?: string | Uint8Array;
  environment?: Record<string, string>;
  /** True where a person asked for a change of their own checkout: their own git settings count then. */
  asUser?: boolean;
}

/** Nothing that a repository or its files say may start a program of its own, or reach another place. */
const safeSettings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'protocol.ext.allow=never',
  'submodule.recurse=false',
  'diff.ignoreSubmodules=all',
  'gc.auto=0',
  'maintenance.auto=false',
  'core.protectHFS=true',
  'core.protectNTFS=true',
  'core.quotePath=false',
  'advice.detachedHead=false',
].flatMap((setting) => ['-c', setting]);

/**
 * Runs git without a shell, with an environment of its own (no user or system settings, no prompts) and with
 * hooks, file-system monitors and external transports off.
 *
 * @returns what it wrote to standard output.
 * @throws GitError when it ends with another exit code than 0; Error when git is missing or the disk is full.
 */
export async function git(args: string[], request: GitRequest): Promise<string> {
  const result = await tryGit(args, request);
  if (result.exitCode !== 0) throw new GitError(args, result.exitCode, result.stderr);
  return result.stdout;
}

/** As `git`, for what is not text. */
export async function gitBytes(args: string[], request: GitRequest): Promise<Uint8Array> {
  const result = await run(args, request);
  if (result.exitCode !== 0) throw new GitError(args, result.exitCode, result.stderr);
  return result.stdout;
}

/** As `git`, but an exit code is an answer. A full disk still throws. */
export async function tryGit(
  args: string[],
  request: GitRequest,
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const { exitCode, stdout, stderr } = await run(args, request);
  return { exitCode, stdout: stdout.toString('utf8'), stderr };
}

/** Whether a repository has a commit. */
export async function hasCommit(directory: string, commit: string): Promise<boolean> {
  const found = await tryGit(['cat-file', '-e', `${requireObjectId(commit)}^{commit}`], { directory });
  return found.exitCode === 0;
}

/** For `git fetch`: what is named is brought, and nothing else is touched. */
export const fetchFlags = [
  '--no-tags',
  '--no-write-fetch-head',
  '--no-auto-maintenance',
  '--no-recurse-submodules',
];

async function run(
  args: string[],
  request: GitRequest,
): Promise<{ exitCode: number; stdout: Buffer; stderr: string }> {
  const settings = [
    ...safeSettings,
    ...(request.excludesFile ? ['-c', `core.excludesFile=${request.excludesFile}`] : []),
  ];
  const child = spawn('git', [...settings, ...args], {
    cwd: request.directory,
    env: environmentFor(request),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const chunks: { out: Uint8Array[]; error: Uint8Array[] } = { out: [], error: [] };
  child.stdout.on('data', (chunk: Uint8Array) => chunks.out.push(chunk));
  child.stderr.on('data', (chunk: Uint8Array) => chunks.error.push(chunk));
  // Git may end without having read all; its exit code says what counts.
  child.stdin.on('error', () => undefined);
  child.stdin.end(request.input ?? '');
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => reject(cannotStart(error, request.directory)));
    child.once('close', (code) => resolve(code ?? 128));
  });
  const stderr = Buffer.concat(chunks.error).toString('utf8');
  if (exitCode !== 0 && /No space left on device|Disk quota exceeded/.test(stderr)) {
    throw new Error(
      `The disk that holds ${request.directory} is full: git could not write there. Free some space.`,
    );
  }
  return { exitCode, stdout: Buffer.concat(chunks.out), stderr };
}

function environmentFor(request: GitRequest): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    GIT_EDITOR: 'true',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LITERAL_PATHSPECS: '1',
    ...(request.asUser
      ? { HOME: homedir() }
      : {
          HOME: '/nonexistent',
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_CONFIG_GLOBAL: '/dev/null',
          GIT_ATTR_NOSYSTEM: '1',
        }),
    ...(request.gitDirectory ? { GIT_DIR: request.gitDirectory, GIT_WORK_TREE: request.directory } : {}),
    ...request.environment,
  };
}

function cannotStart(error: NodeJS.ErrnoException, directory: string): Error {
  // Node reports a missing working directory with the program's name.
  if (error.code === 'ENOENT')
    return new Error(
      `git could not be started in ${directory}: is git installed, and is the directory there?`,
    );
  return new Error(`git could not be started: ${error.message}`);
}

/** The line of git's message that says what was wrong. */
function explain(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  return (
    lines.find((line) => line.startsWith('fatal:') || line.startsWith('error:')) ??
    lines.at(-1) ??
    ''
  ).replace(/^(fatal|error): /, '');
}

/** Splits what git writes with `-z`. */
export const splitNul = (text: string): string[] => text.split('\0').filter((part) => part !== '');

/** Whether a commit's name is a full object id; anything else could be read by git as something else. */
const isObjectId = (text: string): boolean => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);

/** @throws Error when the text is no full object id. */
export function requireObjectId(text: string): string {
  if (!isObjectId(text)) throw new Error(`${JSON.stringify(text)} is not a full commit id.`);
  return text;
}
