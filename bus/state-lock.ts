import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifyProcess, isRunning } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** Who uses a state folder: the process that started the server, and the server once it runs. */
type Lock = { owner: ProcessIdentity; server?: ProcessIdentity };

const LEFTOVER_STOP_MS = 5_000;

/**
 * Locks a folder for one server, since two servers on one store would destroy it. A lock whose owner is
 * dead is taken over, and a server that it left running is stopped first.
 * Throws an Error that names the process when the folder is in use.
 */
export async function lockState(folder: string): Promise<void> {
  const file = join(folder, 'lock.json');
  const owner = identifyProcess(process.pid);
  if (!owner) throw new Error(`cannot tell when process ${process.pid} started`);
  const mine = join(folder, `lock-${process.pid}-${Math.random().toString(36).slice(2)}.json`);
  await writeFile(mine, JSON.stringify({ owner } satisfies Lock), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      // A link appears whole or not at all, and never replaces another.
      const isLocked = await link(mine, file).then(
        () => true,
        (failure: NodeJS.ErrnoException) => {
          if (failure.code !== 'EEXIST') throw failure;
          return false;
        },
      );
      if (isLocked) return;
      await clearLeftLock(folder, file);
    }
    throw new Error(`${folder} is being locked by several processes at once; try again`);
  } finally {
    await rm(mine, { force: true });
  }
}

/** Records which server runs on the folder that this process has locked. */
export async function recordServer(folder: string, serverPid: number): Promise<void> {
  const owner = identifyProcess(process.pid);
  const server = identifyProcess(serverPid);
  if (!owner) return;
  const fresh = join(folder, `lock-${process.pid}.json`);
  await writeFile(fresh, JSON.stringify({ owner, server } satisfies Lock), { mode: 0o600 });
  await rename(fresh, join(folder, 'lock.json'));
}

/** Gives back the folder that this process has locked. */
export async function releaseState(folder: string): Promise<void> {
  await rm(join(folder, 'lock.json'), { force: true });
}

async function clearLeftLock(folder: string, file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const lock = parseLock(text);
  const isMine = lock?.owner.pid === process.pid;
  const serverRuns = lock?.server !== undefined && isRunning(lock.server);
  if (lock && isRunning(lock.owner) && (!isMine || serverRuns || !lock.server)) {
    throw new Error(
      `${folder} is in use by process ${lock.owner.pid}. Stop that one, or choose another folder with --state DIR.`,
    );
  }
  if (lock?.server && serverRuns) await stopLeftServer(lock.server);
  // Another process may have taken over in the meantime: put away only what was read.
  const aside = `${file}.${process.pid}.old`;
  await rename(file, aside).catch(() => undefined);
  const putAway = await readFile(aside, 'utf8').catch(() => undefined);
  if (putAway !== undefined && putAway !== text) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}

async function stopLeftServer(server: ProcessIdentity): Promise<void> {
  process.kill(server.pid, 'SIGTERM');
  const killAt = Date.now() + LEFTOVER_STOP_MS;
  while (isRunning(server)) {
    if (Date.now() > killAt) process.kill(server.pid, 'SIGKILL');
    await sleep(20);
  }
}

function parseLock(text: string): Lock | undefined {
  try {
    const value = JSON.parse(text) as Partial<Lock>;
    return typeof value.owner?.pid === 'number' ? (value as Lock) : undefined;
  } catch {
    return undefined;
  }
}
