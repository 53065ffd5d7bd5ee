import { evolveBreaker, noBreaker, type Breaker, type BreakerCounts } from '../schemas/breaker.ts';
import { deriveId, message } from '../schemas/envelope.ts';
import { consumerNames } from '../schemas/destination.ts';
import { journalSubject, streamNames } from '../schemas/subject.ts';
import type { Bus } from './connect.ts';
import {
  eventId,
  openJournals,
  readBelieved,
  type Believing,
  type Folded,
  type JournalOptions,
} from './journal.ts';

/** A breaker as it was read; `tail` is what an append comes after. */
export interface ReadBreaker {
  breaker: Breaker;
  tail: Folded<Breaker>;
}

/** What an event of a breaker says beside its pool. */
export interface BreakerChange {
  type: 'breaker.opened' | 'breaker.half_opened' | 'breaker.closed';
  why: string;
  untilMs: number;
  trips: number;
  counts: BreakerCounts;
  queue?: { waiting: number; slots: number; callMs: number };
  probe?: string;
}

export interface BreakerJournals {
  /** The breaker of a pool, its tail looked at for this very read; one without a journal is closed. */
  read(pool: string): Promise<ReadBreaker>;
  /** Appends by compare-and-set; `undefined`: another was first, or it is not known to be stored. For inference only. */
  append(
    pool: string,
    after: ReadBreaker,
    change: BreakerChange,
    atMs: number,
  ): Promise<ReadBreaker | undefined>;
}

/** The journals of the pools' breakers: `<namespace>.event.mesh.breaker.<pool>`. */
export function openBreakers(
  options: Pick<JournalOptions<Breaker>, 'bus' | 'namespace' | 'log' | 'verify' | 'sign'>,
  process: string,
): BreakerJournals {
  const journals = openJournals({ ...options, initial: noBreaker, evolve: evolveBreaker });
  const subjectOf = (pool: string) => breakerSubject(options.namespace, pool);
  return {
    async read(pool) {
      const tail = await journals.load(subjectOf(pool), true);
      return { breaker: tail.state, tail };
    },
    async append(pool, { tail }, { type, ...change }, atMs) {
      const subject = subjectOf(pool);
      const inputId = deriveId(process, atMs);
      // It belongs to no task; its pool stands for one.
      const id = deriveId('breaker', subject);
      const lineage = { taskId: id, correlationId: id, causationId: inputId, hop: 0, cyclesLeft: 0 };
      const data = { given: { atMs, inputId, process }, pool, ...change };
      const event = message(
        type,
        eventId(subject, inputId, tail.count, type),
        'inference',
        'record',
        lineage,
        atMs,
        data as never,
      );
      const stored = await journals.append(subject, tail, event);
      return stored && { breaker: stored.state, tail: stored };
    },
  };
}

const breakerSubject = (namespace: string, pool: string) =>
  journalSubject(namespace, { entity: 'mesh', taskId: 'mesh', role: 'breaker', id: pool });

/** The breaker of a pool as the record says it is, for who only looks; one without a journal is closed. */
export async function readBreaker(reading: Omit<Believing, 'log'>, pool: string): Promise<Breaker> {
  let breaker = noBreaker;
  for await (const stored of readBelieved(reading, breakerSubject(reading.namespace, pool)))
    breaker = evolveBreaker(breaker, stored);
  return breaker;
}

/** Calls that wait for a worker of a pool: not handed out yet. */
export async function waitingIn(bus: Bus, namespace: string, pool: string): Promise<number> {
  const consumer = await bus.manager.consumers.info(streamNames(namespace).inbox, consumerNames.pool(pool));
  return consumer.num_pending;
}
