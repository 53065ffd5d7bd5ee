import { spawn } from 'node:child_process';
import { collectOutput } from './output.ts';

/** What a program that was started came to. */
export interface ProgramEnd {
  /** Its own exit code; 128 + the signal's number where a signal ended it, as a shell counts. */
  exitCode: number;
  /** `exited` by itself; `timed_out` and `stopped` (by the abort signal) were killed with all they started. */
  ended: 'exited' | 'timed_out' | 'stopped';
  /** Standard output and error as they came, cut openly. */
  output: string;
  durationMs: number;
}

/** How long a program's pipes may stay open after it ended, held by something it left behind. */
const lingerMs = 1000;

/**
 * Starts a program in a process group of its own, with exactly this environment and without a shell, and waits
 * for its end. On time-out or abort the whole group is killed at once.
 *
 * @throws Error when it cannot be started at all.
 */
export async function startProgram(request: {
  argv: string[];
  directory?: string;
  environment: Record<string, string>;
  timeoutMs: number;
  outputBytes: number;
  signal?: AbortSignal | undefined;
}): Promise<ProgramEnd> {
  const started = performance.now();
  const collector = collectOutput(request.outputBytes);
  const [file, ...rest] = request.argv;
  const child = spawn(file!, rest, {
    cwd: request.directory,
    env: request.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let ended: ProgramEnd['ended'] = 'exited';
  const kill = (why: ProgramEnd['ended']): void => {
    ended = why;
    killGroup(child.pid);
  };
  const stop = (): void => kill('stopped');
  const timer = setTimeout(() => kill('timed_out'), request.timeoutMs);
  request.signal?.addEventListener('abort', stop, { once: true });
  if (request.signal?.aborted) stop();
  child.stdout.on('data', (chunk: Uint8Array) => collector.write(chunk));
  child.stderr.on('data', (chunk: Uint8Array) => collector.write(chunk));
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        const result = code ?? 128 + signalNumber(signal);
        // What it left behind in its group would keep the pipes open and the machine busy.
        killGroup(child.pid);
        const linger = setTimeout(() => {
          child.stdout.destroy();
          child.stderr.destroy();
          resolve(result);
        }, lingerMs);
        child.once('close', () => {
          clearTimeout(linger);
          resolve(result);
        });
      });
    });
    return { exitCode, ended, output: collector.text(), durationMs: Math.round(performance.now() - started) };
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', stop);
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group.
  }
}

function signalNumber(signal: NodeJS.Signals | null): number {
  const numbers: Partial<Record<NodeJS.Signals, number>> = {
    SIGKILL: 9,
    SIGTERM: 15,
    SIGINT: 2,
    SIGSEGV: 11,
    SIGABRT: 6,
  };
  return (signal && numbers[signal]) ?? 1;
}
