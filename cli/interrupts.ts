import { exitCodes } from './exit-codes.ts';

/** What a person says with Ctrl-C, and how often. */
export interface Interrupts {
  /** Resolves with the exit code once the process is told to end. */
  first: Promise<number>;
  /** What the next Ctrl-C does from here on; the one after it ends the process as it stands. */
  onNext(act: () => void): void;
}

/** Hears Ctrl-C (exit code 130) and SIGTERM (exit code 0, as a service manager expects). */
export function openInterrupts(): Interrupts {
  const told = Promise.withResolvers<number>();
  const endNow = (): void => process.exit(exitCodes.interrupted);
  let isTold = false;
  let next = endNow;
  process.on('SIGINT', () => {
    if (isTold) {
      const act = next;
      next = endNow;
      act();
    }
    isTold = true;
    told.resolve(exitCodes.interrupted);
  });
  process.on('SIGTERM', () => {
    isTold = true;
    told.resolve(exitCodes.done);
  });
  return { first: told.promise, onNext: (act) => void (next = act) };
}

/** Runs with a signal that Ctrl-C aborts, once; a second Ctrl-C ends the process as usual. */
export async function untilInterrupted<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  timeoutMs?: number,
): Promise<Result> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  process.once('SIGINT', stop);
  const timer = timeoutMs === undefined ? undefined : setTimeout(stop, timeoutMs);
  try {
    return await work(abort.signal);
  } finally {
    clearTimeout(timer);
    process.removeListener('SIGINT', stop);
  }
}
