import { spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { openClient, type Client } from '../bus/client.ts';
import { cacheDirectoryOf } from '../bus/cache-directory.ts';
import { readCredential } from '../bus/credentials.ts';
import { readMeshFile, type MeshFile } from '../config/mesh-file.ts';
import { sandboxForTests } from '../tools/sandbox-for-tests.ts';
import { eventually, makeRepository, patienceMs } from './yard-parts.ts';
import { builtProgram } from './built-program.ts';

/** How a command ended and what it said. */
export interface Ended {
  code: number;
  out: string;
  error: string;
}

/** A command that goes on. */
export interface Running {
  pid: number;
  /** What it has said so far. */
  out(): string;
  error(): string;
  /** Resolves when it has said something that fits on standard error; rejects when it ends before, or never says it. */
  says(pattern: RegExp, limitMs?: number): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
  ended: Promise<Ended>;
}

/** A person at a terminal: a folder of their own, an environment of their own, and the command. */
export interface Terminal {
  area: string;
  environment: Record<string, string | undefined>;
  isSandboxed: boolean;
  /** Runs `switchyard` with these words to its end. */
  switchyard(words: string[], more?: Environment): Promise<Ended>;
  start(words: string[], more?: Environment): Running;
  /** Starts `up` on a state folder and resolves when the mesh is up. */
  up(state: string, words?: string[], more?: Environment): Promise<Up>;
  makeRepository(name: string, files: Record<string, string> | string): string;
  /** Writes a configuration file, with programs allowed where there is no sandbox, and gives its path. */
  configure(name: string, config: object): string;
  /** Ends what was started and takes the folder away. */
  close(): Promise<void>;
}

type Environment = Record<string, string | undefined>;

/** A mesh that `up` runs. */
export interface Up extends Running {
  stateDirectory: string;
  mesh: MeshFile;
  client: Client;
  /** The last line of `--json` output of a command on this mesh, as the result it is. */
  switchyard(words: string[]): Promise<Ended>;
}

export async function openTerminal(): Promise<Terminal> {
  const area = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-terminal-')));
  const sandbox = await sandboxForTests();
  const { PATH, TMPDIR } = process.env;
  mkdirSync(join(area, 'home'));
  const environment: Environment = {
    PATH,
    TMPDIR,
    HOME: join(area, 'home'),
    XDG_CONFIG_HOME: join(area, 'configuration'),
    // Programs that were fetched once need not be fetched again.
    XDG_CACHE_HOME: dirname(cacheDirectoryOf(process.env)),
    SWITCHYARD_NATS_SERVER: process.env['SWITCHYARD_NATS_SERVER'],
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
    ...(sandbox.level === 'none' ? {} : { SWITCHYARD_BWRAP: sandbox.bwrap }),
  };
  const running = new Set<Running>();
  const clients: Client[] = [];

  const start: Terminal['start'] = (words, more) => {
    const one = launch(words, area, { ...environment, ...more });
    running.add(one);
    void one.ended.then(() => running.delete(one));
    return one;
  };
  const switchyard: Terminal['switchyard'] = (words, more) => start(words, more).ended;

  return {
    area,
    environment,
    isSandboxed: sandbox.level !== 'none',
    switchyard,
    start,
    async up(state, words = [], more) {
      const stateDirectory = join(area, state);
      const one = start(['--state', stateDirectory, 'up', '--durability', 'process', ...words], more);
      await one.says(/ is up after /);
      const mesh = readMeshFile(stateDirectory)!;
      const { password } = await readCredential(stateDirectory, 'operator');
      const client = await openClient(mesh.url, mesh.namespace, { user: 'operator', password });
      clients.push(client);
      const onMesh = (given: string[]) => switchyard(['--state', stateDirectory, ...given], more);
      return { ...one, stateDirectory, mesh, client, switchyard: onMesh };
    },
    makeRepository: (name, files) => makeRepository(join(area, name), files),
    configure(name, config) {
      const file = join(area, name);
      const withoutSandbox = sandbox.level === 'none' ? { tools: { withoutSandbox: 'run' } } : {};
      writeFileSync(file, stringify({ ...withoutSandbox, ...config }));
      return file;
    },
    async close() {
      await Promise.all(clients.map((client) => client.close().catch(() => {})));
      const left = [...running];
      for (const one of left) one.kill('SIGTERM');
      await Promise.all(left.map((one) => one.ended));
      rmSync(area, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function launch(words: string[], cwd: string, env: Environment): Running {
  const child = spawn(process.execPath, [builtProgram('cli/main.ts'), ...words], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let error = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (error += text));
  /** How it ended. */
  let how: string | undefined;
  const ended = new Promise<Ended>((resolve) => {
    child.once('exit', (code, signal) => {
      const shown = signal === null ? (code ?? -1) : -1;
      // What is said last is read before it counts as ended; a grandchild may hold the pipe open for longer.
      setTimeout(() => {
        how = signal ?? `code ${code}`;
        resolve({ code: shown, out, error });
      }, 20);
    });
  });
  return {
    pid: child.pid!,
    out: () => out,
    error: () => error,
    kill: (signal) => void child.kill(signal),
    ended,
    async says(pattern, limitMs = patienceMs) {
      const what = `\`switchyard ${words.join(' ')}\` to say ${pattern}`;
      const found = await eventually(
        () => pattern.exec(error) ?? (how === undefined ? undefined : 'over'),
        what,
        limitMs,
      );
      if (found === 'over')
        throw new Error(`waited in vain for ${what}; it ended (${how}) and had said:\n${error}`);
      return found;
    },
  };
}

/** The last line of `--json` output: `{"result": ...}` of a verb that follows, or the whole document. */
export function resultOf<Result = Record<string, unknown>>({ code, out, error }: Ended): Result {
  try {
    const last = JSON.parse(out.trimEnd().split('\n').at(-1)!) as { result?: Result } & Result;
    return last.result ?? last;
  } catch {
    throw new Error(`it ended with code ${code} and its output is no JSON:\n${out}\n${error}`);
  }
}

/** Pids of all processes that have a folder in their command line. */
export function processesOn(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
      } catch {
        return false;
      }
    });
}

/** A port on loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
  await new Promise((resolve) => server.close(resolve));
  return port;
}
