import type { Log } from '../../bus/log.ts';
import type { RecordReader } from '../../bus/record.ts';
import type { ReadModel } from './read-model.ts';

/** What came since is looked for at least so often. */
const longestWaitMs = 2000;
const retryMs = 200;
/** After a hint: what is announced may not be stored yet, and a lost race never is. */
const shortWaitsMs = [2, 5, 15, 50, 150, 400];

export interface Following {
  /** Resolves when it has stopped; rejects when the read model cannot be written. */
  done: Promise<void>;
  /** There may be something to read. */
  hint(): void;
  /** Resolves when all that stands in the record by now was taken. */
  caughtUp(): Promise<void>;
}

/** Keeps a read model up to the record until the signal aborts. */
export function followRecord(
  model: ReadModel,
  record: RecordReader,
  log: Pick<Log, 'info' | 'warn' | 'debug'>,
  signal: AbortSignal,
): Following {
  let hints = 0;
  let wake = () => {};
  const hint = () => {
    hints += 1;
    wake();
  };
  /** Who waits for what stands there, and how many hints there had been. */
  const waiting = new Map<() => void, number>();
  const unwatch = record.watch(hint);
  const sleep = (timeMs: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const stop = () => wake();
  signal.addEventListener('abort', stop, { once: true });

  /** Takes all that the record holds; 'again' where that broke off. */
  async function catchUp(): Promise<'some' | 'nothing' | 'again'> {
    const from = model.progress();
    const batches = record.readAfter(from);
    let found: 'some' | 'nothing' = 'nothing';
    for (;;) {
      const next = await batches.next().catch((error: unknown) => error as Error);
      if (next instanceof Error) {
        log.debug({ error: next }, 'the record was not read; trying again');
        await sleep(retryMs);
        return 'again';
      }
      // It was begun anew meanwhile.
      if (signal.aborted || model.progress().record !== from.record) return 'again';
      if (next.done) return found;
      if (next.value === 'other') {
        log.warn({ place: from }, 'the record is another than it was: the read model is built anew');
        model.beginAnew();
        return 'again';
      }
      const { entries } = next.value;
      for (const entry of entries)
        if ('problem' in entry)
          log.warn(
            { journal: entry.journal, sequence: entry.sequence, problem: entry.problem },
            'an entry of the record is not believed',
          );
      model.take(entries);
      if (entries.length > 0) found = 'some';
    }
  }

  async function follow(): Promise<void> {
    let quiet = 0;
    let seenHints = 0;
    while (!signal.aborted) {
      const before = hints;
      const found = await catchUp();
      if (found === 'again') continue;
      for (const [resolve, since] of waiting)
        if (since < before) {
          waiting.delete(resolve);
          resolve();
        }
      if (found === 'some' || hints !== seenHints) quiet = 0;
      seenHints = before;
      // A hint that came while it was read may be of what was not there yet.
      await sleep(hints === before ? (shortWaitsMs[quiet] ?? longestWaitMs) : shortWaitsMs[0]!);
      quiet += 1;
    }
  }

  const done = follow().finally(() => {
    signal.removeEventListener('abort', stop);
    unwatch();
  });
  const caughtUp = () =>
    new Promise<void>((resolve) => {
      waiting.set(resolve, hints);
      hint();
    });
  return { done, hint, caughtUp };
}
