import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { Client, Recorded } from '../bus/client.ts';
import { mainOf } from '../bus/launcher.ts';
import { checkoutRoot } from '../config/state.ts';
import { shortType } from '../schemas/envelope.ts';
import type { Role } from '../schemas/row.ts';
import { builtProgram } from './built-program.ts';

/** How long is waited for what must come: a bound for a slow machine with other things to do, never what makes a test pass. */
export const patienceMs = 120_000;

/** A process that was started without a launcher: nobody gives back what it holds when it dies. */
export interface BareProcess {
  pid: number;
  logFile: string;
  /** Resolves with its instance id when it serves. */
  ready: Promise<string>;
  gone: Promise<void>;
  /** Resolves when the fault that it was given has stopped it. */
  stopped(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** Runs git as a user would, far from the configuration of whoever runs the tests. */
export function git(repository: string, ...args: string[]): string {
  const who = {
    GIT_AUTHOR_NAME: 'A User',
    GIT_AUTHOR_EMAIL: 'user@localhost',
    GIT_COMMITTER_NAME: 'A User',
    GIT_COMMITTER_EMAIL: 'user@localhost',
  };
  const env = { PATH: process.env['PATH'], HOME: dirname(repository), GIT_CONFIG_NOSYSTEM: '1', ...who };
  return execFileSync('git', args, { cwd: repository, encoding: 'utf8', stdio: 'pipe', env }).trim();
}

/** A repository on branch `main` with one commit, of texts by path or of a folder's files. */
export function makeRepository(directory: string, files: Record<string, string> | string): string {
  mkdirSync(directory, { recursive: true });
  if (typeof files === 'string') cpSync(files, directory, { recursive: true });
  else {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
  }
  git(directory, 'init', '--quiet', '--initial-branch=main');
  git(directory, 'add', '--all');
  git(directory, 'commit', '--quiet', '--message=first');
  return directory;
}

/** What a role's process sees; as `up` gives it, with a fault where one is planted. */
export function environmentOf(
  bubblewrap: string | undefined,
  fault: string | undefined,
): Record<string, string | undefined> {
  const { HOME, TMPDIR, PATH, XDG_CACHE_HOME } = process.env;
  return {
    HOME,
    TMPDIR,
    XDG_CACHE_HOME,
    PATH: [join(checkoutRoot, 'node_modules/.bin'), PATH ?? ''].join(delimiter),
    SWITCHYARD_LOG_LEVEL: 'debug',
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
    ...(bubblewrap ? { SWITCHYARD_BWRAP: bubblewrap } : {}),
    ...(fault ? { SWITCHYARD_FAULT: fault } : {}),
  };
}

export function startBare(
  role: Role,
  stateDirectory: string,
  logFile: string,
  env: Record<string, string | undefined>,
): BareProcess {
  const log = openSync(logFile, 'a', 0o600);
  const [file, ...args] = mainOf[role];
  const started = spawn(process.execPath, [builtProgram(file!), ...args, '--state', stateDirectory], {
    cwd: checkoutRoot,
    stdio: ['ignore', log, log, 'ipc'],
    env,
  });
  const gone = new Promise<void>((resolve) => void started.once('close', () => resolve()));
  const ready = new Promise<string>((resolve, reject) => {
    started.on(
      'message',
      (message: { isReady?: true; process: string }) => message.isReady && resolve(message.process),
    );
    void gone.then(() =>
      reject(new Error(`the ${role} ended before it served; see ${readFileSync(logFile, 'utf8')}`)),
    );
  });
  ready.catch(() => {});
  const pid = started.pid!;
  return {
    pid,
    logFile,
    ready,
    gone,
    stopped: () => stopped(pid),
    kill: (signal) => void started.kill(signal),
  };
}

/** Resolves when the system says that the process is stopped. */
export async function stopped(pid: number, limitMs = patienceMs): Promise<void> {
  await eventually(
    () => /^\d+ \(.*\) T/.test(readFileSync(`/proc/${pid}/stat`, 'utf8')),
    `process ${pid} to be stopped`,
    limitMs,
  );
}

/** Looks again and again until it is so; throws with `what` when it never is. */
export async function eventually<Found>(
  look: () => Promise<Found> | Found,
  what: string,
  limitMs = patienceMs,
  everyMs = 25,
): Promise<NonNullable<Found>> {
  const until = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() >= until) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Follows a task from its first event on until one fits, or none comes for so long; the error tells all that came instead. */
export async function followUntil(
  client: Client,
  taskId: string,
  fits: (one: Recorded, type: string) => boolean,
): Promise<Recorded> {
  const abort = new AbortController();
  const silence = setTimeout(() => abort.abort(), patienceMs);
  const seen: string[] = [];
  try {
    for await (const one of client.follow(taskId, abort.signal)) {
      silence.refresh();
      const type = shortType(one.event.type);
      seen.push(
        `${one.sequence} ${type} ${JSON.stringify((one.event.data as { reason?: string }).reason ?? '')}`,
      );
      if (fits(one, type)) return one;
    }
  } finally {
    clearTimeout(silence);
    abort.abort();
  }
  throw new Error(
    `task ${taskId} did not come to what was waited for, and nothing more for ${patienceMs} ms; it came to:\n${seen.join('\n')}`,
  );
}
