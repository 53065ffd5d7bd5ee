import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import type { Role } from '../schemas/row.ts';
import type { Bus } from './connect.ts';
import { probe } from './holder.ts';
import { putLogAside } from './log-files.ts';

/**
 * What a process runs: its role's usual program, the gpu-worker, which answers model calls as inference does, or the
 * observer, which has no role: it reads the record and answers questions about it.
 */
export type Program = Role | 'gpu-worker' | 'observer';

/** The source of each program, below the checkout, with its first arguments. */
export const mainOf: Record<Program, string[]> = {
  manager: ['agents/manager/main.ts'],
  router: ['router/main.ts'],
  planner: ['agents/main.ts', 'planner'],
  coder: ['agents/main.ts', 'coder'],
  tester: ['agents/main.ts', 'tester'],
  reviewer: ['agents/main.ts', 'reviewer'],
  inference: ['inference/main.ts'],
  'gpu-worker': ['gpu-worker/main.ts'],
  observer: ['observability/main.ts'],
};

/** A program that was started for the first time was told something wrong, and says what. */
export class RefusedError extends Error {}

export interface LauncherOptions {
  /** The folder that processes run in. */
  checkout: string;
  /** The file to start a program from, by its source's path (`programFile`). */
  fileOf(source: string): string;
  stateDirectory: string;
  logsDirectory: string;
  /** Extra arguments, such as `--config FILE`. */
  args: string[];
  /** The variables a process gets; provider keys only go where providers are asked. */
  environment(program: Program): Record<string, string | undefined>;
  /** With what is given back what a dead child held. */
  bus: Bus;
  /** The longest wait before a process that keeps dying is started again; 15 s where it is left out. */
  longestBackOffMs?: number;
  /** Told when a process was started, long before it serves. */
  onStart?(child: Child): void;
  /** Told when a process ended that nobody told to. */
  onDeath(child: Child, how: string): void;
  /** What a process asks of whoever started it (`askLauncher`); its error's words are the answer where it throws. */
  answer?(program: Program, asked: unknown): Promise<unknown>;
}

export interface Child {
  program: Program;
  number: number;
  pid: number;
  /** Instance id, once the process serves. */
  process: string | undefined;
  logFile: string;
  kill(signal: NodeJS.Signals): void;
}

export interface Launcher {
  /** Starts one process and keeps one alive in its place; resolves when it serves. `args`: for the program itself. */
  start(program: Program, args?: string[]): Promise<Child>;
  children(): Child[];
  /** Resolves when a process reports that it holds at a fault point. */
  held(point: string): Promise<Child>;
  /** From here on nobody takes the place of a process that ends, and its end is nothing to tell of. */
  expectEnds(): void;
  /** Ends all of them; resolves when the last one is gone. */
  stop(): Promise<void>;
}

const shortestBackOffMs = 200;
/** How often it is looked how large the logs are. */
const tidyMs = 30_000;
/** A process that lived this long is started again at once when it dies. */
const healthyMs = 30_000;
const stopPatienceMs = 10_000;
/** With which a program ends that was told something wrong, rather than came to grief. */
const refusedExitCode = 2;

/** Starts role processes, restarts those that die, and gives back at once the messages that a dead one held. */
export function openLauncher(options: LauncherOptions): Launcher {
  const longestBackOffMs = options.longestBackOffMs ?? 15_000;
  const running = new Map<number, Started>();
  const waiting: { point: string; resolve: (child: Child) => void }[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const givingBack = new Set<Promise<void>>();
  let numbers = 0;
  let isStopping = false;
  const telemetry = pathToFileURL(options.fileOf('observability/telemetry.ts')).href;
  mkdirSync(options.logsDirectory, { recursive: true, mode: 0o700 });
  const tidying = setInterval(() => {
    for (const { child } of running.values()) putLogAside(child.logFile);
  }, tidyMs);
  tidying.unref();

  /** `backOffMs`: how long it was waited before; undefined for the first of its number, whose caller is told of a refusal. */
  function launch(program: Program, number: number, given: string[], backOffMs?: number): Promise<Child> {
    const logFile = join(options.logsDirectory, `${program}-${number}.log`);
    putLogAside(logFile);
    const log = openSync(logFile, 'a', 0o600);
    const [file, ...args] = mainOf[program];
    const process_ = spawn(
      process.execPath,
      [
        '--import',
        telemetry,
        options.fileOf(file!),
        ...args,
        '--state',
        options.stateDirectory,
        ...options.args,
        ...given,
      ],
      {
        cwd: options.checkout,
        // The fourth is the channel for "ready", the fifth the pipe on which the child says what it holds.
        stdio: ['ignore', log, log, 'ipc', 'pipe'],
        env: { ...options.environment(program), SWITCHYARD_CUSTODY: '4' },
      },
    );
    // The child has its own copy.
    closeSync(log);
    const child: Child = {
      program,
      number,
      pid: process_.pid ?? 0,
      process: undefined,
      logFile,
      kill: (signal) => void process_.kill(signal),
    };
    const startedAtMs = Date.now();
    const custody = followCustody(process_.stdio[4] as Readable);
    // `close` comes after the pipe was read to its end, so nothing that the child said is missed.
    const closed = new Promise<void>((resolve) => void process_.once('close', () => resolve()));
    running.set(number, { child, process: process_, closed });
    options.onStart?.(child);
    return new Promise<Child>((resolve, reject) => {
      process_.on('message', (message: FromChild) => {
        if (message.ask !== undefined)
          void answerTo(options, program, message.asked).then((said) => {
            // It may have ended meanwhile.
            if (process_.connected) process_.send({ ...said, answers: message.ask }, () => {});
          });
        if (message.isReady) {
          child.process = message.process;
          resolve(child);
        }
        if (message.isHolding)
          for (const one of waiting) if (message.isHolding.endsWith(one.point)) one.resolve(child);
      });
      process_.on('error', reject);
      process_.on('close', (code, signal) => {
        running.delete(number);
        // An observed exit cannot be false: what it held goes to another now, not a lease later.
        const back = giveBack(options.bus, custody).finally(() => givingBack.delete(back));
        givingBack.add(back);
        if (isStopping) return;
        const neverServed = child.process === undefined;
        if (code === refusedExitCode && neverServed) {
          const refusal = `refuses to start: ${lastLine(logFile)}`;
          if (backOffMs === undefined) {
            // What is set wrong is as wrong the next time, and whoever set it hears of it now.
            reject(new RefusedError(`the ${program} ${refusal}; its log: ${logFile}`));
            return;
          }
          // One that served before was set right: memory that is short, a file half written. That passes.
          options.onDeath(child, refusal);
          again(program, number, given, longestBackOffMs);
          return;
        }
        const how = signal ? `was killed by ${signal}` : `ended with exit code ${code}`;
        options.onDeath(child, how);
        const livedLong = Date.now() - startedAtMs > healthyMs;
        if (neverServed) reject(new Error(`the ${program} ${how} before it served; see ${logFile}`));
        again(
          program,
          number,
          given,
          livedLong ? shortestBackOffMs : Math.min((backOffMs ?? shortestBackOffMs) * 2, longestBackOffMs),
        );
      });
    });
  }

  /** Starts a process in the place of one that ended; where even that fails, later. */
  function again(program: Program, number: number, given: string[], afterMs: number): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      try {
        // One that starts and dies is started again by its own end.
        launch(program, number, given, afterMs).catch(() => {});
      } catch {
        again(program, number, given, longestBackOffMs);
      }
    }, afterMs);
    timers.add(timer);
  }

  return {
    async start(program, given = []) {
      if (isStopping) throw new Error(`no ${program} is started any more`);
      numbers += 1;
      return launch(program, numbers, given);
    },
    children: () => [...running.values()].map((one) => one.child),
    held: (point) => new Promise((resolve) => void waiting.push({ point, resolve })),
    expectEnds: () => void (isStopping = true),
    async stop() {
      isStopping = true;
      clearInterval(tidying);
      for (const timer of timers) clearTimeout(timer);
      const end = async ({ process: one, closed }: Started) => {
        const kill = setTimeout(() => one.kill('SIGKILL'), stopPatienceMs);
        one.kill('SIGTERM');
        await closed;
        clearTimeout(kill);
      };
      const [observers, others] = [true, false].map((isObserver) =>
        [...running.values()].filter(({ child }) => (child.program === 'observer') === isObserver),
      ) as [Started[], Started[]];
      await Promise.all(others.map(end));
      // It sends on what the others did until their end.
      await Promise.all(observers.map(end));
      await Promise.all(givingBack);
    },
  };
}

interface Started {
  child: Child;
  process: ChildProcess;
  /** Resolves at its end. */
  closed: Promise<void>;
}

/** What a child says on its channel. */
interface FromChild {
  isReady?: true;
  process?: string;
  isHolding?: string;
  ask?: number;
  asked?: unknown;
}

async function answerTo({ answer }: LauncherOptions, program: Program, asked: unknown) {
  try {
    if (!answer) throw new Error('whoever started this process answers no questions');
    return { said: await answer(program, asked) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** The last that a process wrote, which is why it ended. */
function lastLine(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '';
}

/** What a child said of itself: the messages that it holds, and the subject on which it answers while it is connected. */
interface Held {
  tokens: Set<string>;
  answersOn: string | undefined;
}

const forgetPatienceMs = 1000;

/**
 * Puts back what a dead child held. The broker must have seen the end of its connection first: it might else hand the
 * message to that very child, which still waits for messages as far as it knows, and a lease passes.
 */
async function giveBack(bus: Bus, { tokens, answersOn }: Held): Promise<void> {
  try {
    const until = Date.now() + forgetPatienceMs;
    while (tokens.size > 0 && answersOn !== undefined && Date.now() < until) {
      if ((await probe(bus, answersOn, '', 50)) === 'gone') break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const token of tokens) bus.connection.publish(token, '-NAK');
  } catch {
    // Without a broker nothing can be given back, and the lease does it.
  }
}

/** Reads what a child takes (`+`) and releases (`-`), one acknowledgement subject a line, and where it answers (`=`). */
function followCustody(pipe: Readable): Held {
  const held: Held = { tokens: new Set(), answersOn: undefined };
  let rest = '';
  pipe.setEncoding('utf8');
  pipe.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('+')) held.tokens.add(line.slice(1));
      else if (line.startsWith('-')) held.tokens.delete(line.slice(1));
      else if (line.startsWith('=')) held.answersOn = line.slice(1);
    }
  });
  pipe.on('error', () => {});
  return held;
}
