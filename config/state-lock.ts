import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ConfigurationError } from './configuration-error.ts';
import { writePrivateFile } from './private-file.ts';
import { lockFile } from './state.ts';

export interface StateLock {
  /** Gives the lock back; it is given back by itself when the process ends, however it ends. */
  release(): void;
}

/**
 * Takes the one right to run a mesh on a state folder. Throws ConfigurationError that names the process that has it.
 *
 * The lock is the operating system's, on an SQLite file: it cannot outlive its process, so there is no stale lock to
 * break and no question whether a pid was used again.
 */
export function lockStateDirectory(stateDirectory: string): StateLock {
  const file = lockFile(stateDirectory, 'up');
  // A command that looks whether a mesh runs has it for a moment.
  const lock = take(file, 250);
  if (!lock) {
    const holder = readHolder(file);
    const who = holder === undefined ? 'another process' : `process ${holder}`;
    const stop = holder === undefined ? 'stop it' : `stop it (kill ${holder})`;
    throw new ConfigurationError([
      `a mesh already runs on ${stateDirectory}, started by ${who}; use it as it is, ${stop}, or give this one a folder of its own with --state DIR`,
    ]);
  }
  try {
    writePrivateFile(holderFile(file), `${process.pid}\n`);
  } catch (failure) {
    lock.release();
    throw failure;
  }
  return lock;
}

/** True while some process runs a mesh on the state folder. */
export function isLocked(stateDirectory: string): boolean {
  const lock = take(lockFile(stateDirectory, 'up'), 0);
  lock?.release();
  return lock === undefined;
}

/** Runs `act` while no other process of this folder runs one under the same name; waits up to `patienceMs` for it. */
export function holdingLock<Result>(
  stateDirectory: string,
  name: string,
  act: () => Result,
  patienceMs = 10_000,
): Result {
  const file = lockFile(stateDirectory, name);
  const lock = take(file, patienceMs);
  if (!lock)
    throw new ConfigurationError([
      `${file} has been held by another process for ${patienceMs} ms; end that one and try again`,
    ]);
  try {
    return act();
  } finally {
    lock.release();
  }
}

const sqliteBusy = 5;
/** What is collected as garbage is closed, and its lock with it: so a lock that nobody names is kept here. */
const held = new Set<DatabaseSync>();

function take(file: string, patienceMs: number): StateLock | undefined {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file, { timeout: patienceMs });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (failure) {
    database.close();
    if ((failure as { errcode?: number }).errcode === sqliteBusy) return undefined;
    throw failure;
  }
  held.add(database);
  return {
    release() {
      if (held.delete(database)) database.close();
    },
  };
}

/** Beside the lock, not in it: opening and closing the locked file would give the lock away. */
const holderFile = (file: string) => `${file}.pid`;

function readHolder(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(holderFile(file), 'utf8'));
    process.kill(pid, 0);
    return pid;
  } catch (failure) {
    // Not ours to signal, but there.
    return (failure as NodeJS.ErrnoException).code === 'EPERM'
      ? Number(readFileSync(holderFile(file), 'utf8'))
      : undefined;
  }
}
