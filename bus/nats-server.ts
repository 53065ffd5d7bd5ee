import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serverConfig } from './nats-config.ts';
import { MESH_ACCOUNT, type BrowserAccess, type ServerUser } from './nats-config.ts';
import { diskFull, explainServerFailure } from './nats-failure.ts';
import { readGreeting, readPortsFile } from './nats-ready.ts';
import type { ListeningPort } from './nats-ready.ts';
import { openReload } from './nats-reload.ts';
import { findOnPath, runProgram } from './program.ts';
import { readFrom } from './read-from.ts';
import { lockState, recordServer, releaseState } from './state-lock.ts';

/** What a server is started with. */
export type StartServerOptions = {
  binary: string;
  /** The mesh's state folder; the server keeps to `nats/` inside it. Created where missing. */
  stateDirectory: string;
  name: string;
  durability: 'power' | 'process';
  /** The address that it listens on; undefined: loopback. */
  listen?: string;
  /** Files of a certificate and its key; undefined: nothing is encrypted. */
  tls?: { certificate: string; key: string };
  /** Undefined or 0: a free port that the system chooses. */
  port?: number;
  /** Undefined: no WebSocket; 0: a free port. */
  websocketPort?: number;
  /** The address that the WebSocket listens on; undefined: loopback. */
  websocketListen?: string;
  /** Undefined: no monitoring; 0: a free port. Whoever reaches it reads without a password. */
  monitoringPort?: number;
  users: ServerUser[];
  /** Absent: no browser is let in. */
  browsers?: BrowserAccess;
  /** How long it may take to be ready (a large store is read first), in milliseconds. */
  startLimitMs?: number;
};

/** How a server ended: an exit code, or the signal that killed it. */
export type ServerExit = { code: number | null; signal: string | null };

/** A running server. */
export type RunningServer = {
  url: string;
  port: number;
  /** Every port it listens on: on loopback, but for the mesh's own where `listen` says otherwise. */
  ports: ListeningPort[];
  pid: number;
  version: string;
  logFile: string;
  /**
   * From here on these are the users of browsers and no others: who is none any more is disconnected. Everybody else
   * stays as they are. Throws an Error where the server does not take it.
   */
  letIn: (browserUsers: BrowserAccess['users']) => Promise<void>;
  /** Ends it (SIGTERM, after 5 s SIGKILL) and resolves when it is gone. */
  stop: () => Promise<void>;
  exited: Promise<ServerExit>;
};

const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 5_000;
const LEAST_FREE_BYTES = 32 * 1024 * 1024;
const LARGEST_LOG_BYTES = 10 * 1024 * 1024;

/**
 * Starts a nats-server with JetStream on loopback and resolves when it accepts connections. It ends with
 * this process where the system can do that, and is ended by the next start on the same folder elsewhere.
 * After a crash, start it again with the `port` it had, and its clients find it.
 * Throws an Error with the mend when the port is occupied, the disk is full, the folder is in use by another
 * process, or the server does not come up.
 */
export async function startServer(options: StartServerOptions): Promise<RunningServer> {
  const home = resolve(options.stateDirectory, 'nats');
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    await lockState(home);
  } catch (failure) {
    throw withDiskFull(failure, home);
  }
  let stop: (() => Promise<void>) | undefined;
  try {
    const { logFile, configOf } = await writeFiles(home, options);
    const logStart = (await stat(logFile)).size;
    const child = await launch(options.binary, join(home, 'server.conf'), logFile);
    // The folder is free again once nobody writes to the store.
    const exited = exitOf(child).then(async (exit) => {
      await releaseState(home);
      return exit;
    });
    stop = () => stopServer(child, exited);
    await recordServer(home, child.pid ?? 0);
    const ready = await waitUntilReady({ home, child, exited, logFile, logStart, options });
    const reload = openReload(join(home, 'server.conf'), child, logFile);
    const letIn = (browserUsers: BrowserAccess['users']) => reload(configOf(browserUsers));
    return { ...ready, pid: child.pid ?? 0, logFile, exited, stop, letIn };
  } catch (failure) {
    await stop?.();
    // Once more: a server that ended at once may have been recorded after its end gave the folder back.
    await releaseState(home);
    throw withDiskFull(failure, home);
  }
}

async function writeFiles(home: string, options: StartServerOptions) {
  const storeDirectory = join(home, 'jetstream');
  const disk = await statfs(home);
  const freeBytes = disk.bavail * disk.bsize;
  if (freeBytes < LEAST_FREE_BYTES) throw new Error(diskFull(home, freeBytes));
  // The server's own limit, three quarters of what is free when it starts, does not count what it already
  // holds: a large store would be refused further messages after a restart.
  const maxStoreBytes = (await sizeOf(storeDirectory)) + Math.floor(freeBytes * 0.9);
  for (const name of await readdir(home)) {
    if (name.endsWith('.ports')) await rm(join(home, name), { force: true });
  }
  await adoptStore(join(storeDirectory, 'jetstream'));
  const configOf = (browserUsers: BrowserAccess['users']) =>
    serverConfig({
      ...options,
      ...(options.browsers ? { browsers: { ...options.browsers, users: browserUsers } } : {}),
      port: options.port ?? 0,
      storeDirectory,
      portsDirectory: home,
      maxStoreBytes,
    });
  const config = configOf(options.browsers?.users ?? []);
  await rm(join(home, 'server.conf'), { force: true });
  await writeFile(join(home, 'server.conf'), config, { mode: 0o600, flag: 'wx' });
  const logFile = join(home, 'server.log');
  const logged = await stat(logFile).catch(() => undefined);
  if (logged && logged.size > LARGEST_LOG_BYTES) await rename(logFile, `${logFile}.old`);
  await (await open(logFile, 'a', 0o600)).close();
  return { logFile, configOf };
}

/** A store that was written before there were accounts is the mesh's. */
async function adoptStore(folder: string): Promise<void> {
  const [before, now] = [join(folder, '$G'), join(folder, MESH_ACCOUNT)];
  if ((await exists(before)) && !(await exists(now))) await rename(before, now);
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries)
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  return bytes;
}

async function launch(binary: string, configFile: string, logFile: string): Promise<ChildProcess> {
  const command = [...(await diesWithParent()), binary, '--config', configFile];
  const log = openSync(logFile, 'a');
  try {
    // A session of its own: Ctrl-C reaches the launcher only, which stops the server last.
    return spawn(command[0] ?? binary, command.slice(1), {
      detached: true,
      stdio: ['ignore', log, log],
      // Nothing of ours is its business, least of all a provider's key.
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TZ: process.env['TZ'] },
    });
  } finally {
    closeSync(log);
  }
}

/** The words that make Linux end a child with its parent; none where there is no such program. */
async function diesWithParent(): Promise<string[]> {
  const [setpriv] = await findOnPath('setpriv', process.env['PATH'] ?? '');
  if (setpriv === undefined) return [];
  const words = [setpriv, '--pdeathsig', 'TERM'];
  const works = runProgram(setpriv, [...words.slice(1), 'true'], { timeoutMs: 2_000 });
  return works.then(
    () => words,
    () => [],
  );
}

function exitOf(child: ChildProcess): Promise<ServerExit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
}

type Waiting = {
  home: string;
  child: ChildProcess;
  exited: Promise<ServerExit>;
  logFile: string;
  logStart: number;
  options: StartServerOptions;
};

async function waitUntilReady({ home, child, exited, logFile, logStart, options }: Waiting) {
  const limitMs = options.startLimitMs ?? START_LIMIT_MS;
  const until = performance.now() + limitMs;
  let end: ServerExit | undefined;
  void exited.then((exit) => (end = exit));
  while (performance.now() < until && end === undefined) {
    const ports = await readPortsFile(home, child.pid ?? 0);
    const port = ports?.find(({ name }) => name === 'nats')?.port;
    const greeting = port === undefined ? undefined : await readGreeting(port, hostFor(options.listen));
    if (ports && port !== undefined && greeting?.jetstream) {
      const scheme = options.tls ? 'tls' : 'nats';
      const host = hostFor(options.listen);
      return {
        url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`,
        port,
        ports,
        version: greeting.version,
      };
    }
    await sleep(10);
  }
  const circumstance = end
    ? `ended with ${end.signal ?? `code ${end.code}`} before it was ready`
    : `was not ready within ${limitMs / 1000} s`;
  throw new Error(explainServerFailure(await readFrom(logFile, logStart), circumstance, logFile));
}

/** Where this machine itself finds a server that listens there. */
function hostFor(listen: string | undefined): string {
  if (listen === undefined || listen === '0.0.0.0') return '127.0.0.1';
  return listen === '::' ? '::1' : listen;
}

async function stopServer(child: ChildProcess, exited: Promise<ServerExit>): Promise<void> {
  const kill = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  child.kill('SIGTERM');
  await exited;
  clearTimeout(kill);
}

function withDiskFull(failure: unknown, place: string): Error {
  if ((failure as NodeJS.ErrnoException).code === 'ENOSPC')
    return new Error(diskFull(place), { cause: failure });
  return failure instanceof Error ? failure : new Error(String(failure));
}
