import { deriveId, message } from '../schemas/envelope.ts';
import { crashScope, crashWindowMs } from '../schemas/observed.ts';
import type { Author } from '../schemas/row.ts';
import { journalSubject } from '../schemas/subject.ts';
import { eventId, openJournals, type JournalOptions } from './journal.ts';
import type { Registry } from './registry.ts';

/** A process that came to grief, and how that was seen. */
export interface Crash {
  process: string;
  sign: 'exit' | 'silence' | 'open_intent' | 'unclean_start';
  why: string;
  journal?: string;
}

export interface Crashes {
  /** Says it once, however many see it; resolves when it stands in the record, or could not be said. */
  report(crash: Crash): Promise<void>;
}

/** The journals of crashes, `<namespace>.event.mesh.crash.<process>`: one event each, by whoever saw it first. */
export function openCrashes(
  options: Pick<JournalOptions<number>, 'bus' | 'namespace' | 'log' | 'verify' | 'sign'>,
  author: Author,
  ownProcess: string,
): Crashes {
  const journals = openJournals({ ...options, initial: 0, evolve: (count: number) => count + 1 });
  return {
    async report({ process, sign, why, journal }) {
      const id = crashScope(process);
      const subject = journalSubject(options.namespace, {
        entity: 'mesh',
        taskId: 'mesh',
        role: 'crash',
        id,
      });
      try {
        const tail = await journals.load(subject, true);
        if (tail.count > 0) return;
        const atMs = Date.now();
        const inputId = deriveId('crash', process);
        const lineage = {
          taskId: inputId,
          correlationId: inputId,
          causationId: inputId,
          hop: 0,
          cyclesLeft: 0,
        };
        const data = {
          given: { atMs, inputId, process: ownProcess },
          process,
          role: process.split('.')[0]!,
          sign,
          why,
          ...(journal === undefined ? {} : { journal }),
          untilMs: atMs + crashWindowMs,
        };
        // Where another was first, it is said.
        await journals.append(
          subject,
          tail,
          message(
            'mesh.crash',
            eventId(subject, inputId, tail.count, 'mesh.crash'),
            author,
            'record',
            lineage,
            atMs,
            data,
          ),
        );
      } catch (error) {
        options.log.debug({ process, error }, 'a crash could not be said');
      }
    },
  };
}

const lookMs = 1000;
/** So long one must have heard oneself before the others' silence says something about them. */
const earsMs = 10_000;

/**
 * Reports processes whose heartbeat stopped without a farewell. Whoever does not hear itself hears nobody, and reports
 * nothing. Returns how to stop.
 */
export function reportSilence(registry: Registry, crashes: Crashes, ownProcess: string): () => void {
  let hearsSinceMs = Infinity;
  const timer = setInterval(() => {
    const nowMs = Date.now();
    const hears = registry.living().some((one) => one.process === ownProcess);
    hearsSinceMs = hears ? Math.min(hearsSinceMs, nowMs) : Infinity;
    if (nowMs - hearsSinceMs < earsMs) return;
    for (const { process, atMs } of registry.silent())
      void crashes.report({
        process,
        sign: 'silence',
        why: `${process} was last heard of at ${new Date(atMs).toISOString()} and had not said farewell`,
      });
  }, lookMs);
  return () => clearInterval(timer);
}
