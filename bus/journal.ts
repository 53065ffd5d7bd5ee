import { headers, type MsgHdrs } from '@nats-io/nats-core';
import { JetStreamApiError } from '@nats-io/jetstream';
import type { Envelope } from '../schemas/envelope.ts';
import type { Stored } from '../schemas/service.ts';
import { authorProblem, readJournalSubject, streamNames } from '../schemas/subject.ts';
import type { Bus } from './connect.ts';
import type { Log } from './log.ts';
import { signatureHeader } from './signature.ts';

/** A journal folded up to its tail as it was read. `sequence` counts rejected entries too: it is what an append expects. */
export interface Folded<State> {
  state: State;
  sequence: number;
  /** Events folded so far. */
  count: number;
  last?: Envelope;
  /** True when the tail was looked at for this very load. */
  isFresh: boolean;
}

export interface JournalOptions<State> {
  bus: Bus;
  namespace: string;
  initial: State;
  evolve(state: State, stored: Stored): State;
  /** Absent: signatures are not checked (a broker whose keys were not handed over). */
  verify?(author: string, subject: string, body: Uint8Array, signature: string): boolean;
  sign?(subject: string, body: Uint8Array): string;
  log: Log;
  /** How many folded journals are kept. */
  cacheSize?: number;
}

export interface Journals<State> {
  /** Folds a journal; with `fresh` its tail is looked at even if it is cached. */
  load(subject: string, fresh: boolean): Promise<Folded<State>>;
  /** Appends by compare-and-set. `undefined`: not known to be stored as asked; fold again and decide again. */
  append(subject: string, after: Folded<State>, event: Envelope): Promise<Folded<State> | undefined>;
  forget(subject: string): void;
  /** Drops everything, for when the stream is not the one it was. */
  forgetAll(): void;
}

const wrongLastSequence = 10071;
const batchSize = 256;

/** Journals of one kind: read, fold, append by compare-and-set. The cache may be dropped at any time. */
export function openJournals<State>(options: JournalOptions<State>): Journals<State> {
  const { bus, namespace, log } = options;
  const stream = streamNames(namespace).events;
  const cache = new Map<string, Folded<State>>();
  const cacheSize = options.cacheSize ?? 2000;

  function keep(subject: string, folded: Folded<State>): void {
    cache.delete(subject);
    cache.set(subject, folded);
    if (cache.size > cacheSize) cache.delete(cache.keys().next().value!);
  }

  function foldOne(folded: Folded<State>, entry: Entry): Folded<State> {
    const problem = entryProblem(options, namespace, entry);
    if (problem) {
      log.warn({ journal: entry.subject, sequence: entry.sequence, problem }, 'an entry of a journal is not believed');
      return { ...folded, sequence: entry.sequence };
    }
    return foldEvent(folded, entry.subject, entry.sequence, JSON.parse(Buffer.from(entry.body).toString('utf8')) as Envelope);
  }

  function foldEvent(folded: Folded<State>, journal: string, sequence: number, event: Envelope): Folded<State> {
    const state = options.evolve(folded.state, { journal, sequence, event });
    return { state, sequence, count: folded.count + 1, last: event, isFresh: folded.isFresh };
  }

  async function readOn(subject: string, from: Folded<State>): Promise<Folded<State>> {
    let folded = from;
    for await (const entry of readJournal(bus, stream, subject, from.sequence + 1)) folded = foldOne(folded, entry);
    folded = { ...folded, isFresh: true };
    keep(subject, folded);
    return folded;
  }

  const empty = (): Folded<State> => ({ state: options.initial, sequence: 0, count: 0, isFresh: false });

  return {
    async load(subject, fresh) {
      const cached = cache.get(subject);
      if (!cached) return readOn(subject, empty());
      if (!fresh) return { ...cached, isFresh: false };
      const tail = await bus.manager.direct.getMessage(stream, { last_by_subj: subject }).catch(notFoundIsNull);
      const tailIsKnown = tail?.seq === cached.sequence && idOf(tail.header) === (cached.last?.id ?? idOf(tail.header));
      if (tailIsKnown) return { ...cached, isFresh: true };
      // A tail that went back means that the broker lost it: what the cache says never was.
      return tail && tail.seq > cached.sequence ? readOn(subject, cached) : readOn(subject, empty());
    },
    async append(subject, after, event) {
      const body = Buffer.from(JSON.stringify(event));
      const header = headers();
      header.set('Content-Type', 'application/cloudevents+json');
      if (options.sign) header.set(signatureHeader, options.sign(subject, body));
      try {
        const receipt = await bus.jetstream.publish(subject, body, {
          msgID: event.id,
          expect: { lastSubjectSequence: after.sequence },
          headers: header,
          timeout: 5000,
        });
        // `duplicate` answers with another's stored event: its body may be another decision.
        if (receipt.duplicate) {
          cache.delete(subject);
          return undefined;
        }
        // What was just signed here needs no check.
        const folded = foldEvent({ ...after, isFresh: true }, subject, receipt.seq, event);
        keep(subject, folded);
        return folded;
      } catch (error) {
        cache.delete(subject);
        if (error instanceof JetStreamApiError && error.code !== wrongLastSequence && error.status !== 503) throw error;
        log.debug({ journal: subject, error }, 'an append was not clean; folding again');
        return undefined;
      }
    },
    forget: (subject) => void cache.delete(subject),
    forgetAll: () => cache.clear(),
  };
}

interface Entry {
  subject: string;
  sequence: number;
  header: MsgHdrs | undefined;
  body: Uint8Array;
}

/** Why an entry is not to be believed, or undefined. */
function entryProblem<State>(options: JournalOptions<State>, namespace: string, entry: Entry): string | undefined {
  const name = readJournalSubject(namespace, entry.subject);
  if (!name) return 'its subject is no journal';
  let event: Envelope;
  try {
    event = JSON.parse(Buffer.from(entry.body).toString('utf8')) as Envelope;
  } catch {
    return 'it is not JSON';
  }
  const wrongAuthor = authorProblem(name, event);
  if (wrongAuthor) return wrongAuthor;
  if (!options.verify) return undefined;
  const signature = entry.header?.get(signatureHeader) ?? '';
  return options.verify(event.sender!, entry.subject, entry.body, signature)
    ? undefined
    : `it is not signed by the ${event.sender} for this journal`;
}

const idOf = (header: MsgHdrs | undefined) => header?.get('Nats-Msg-Id');

function notFoundIsNull(error: unknown): null {
  if (isNotFound(error)) return null;
  throw error;
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && /not found|no messages/i.test(error.message);
}

/** All entries of one subject from a sequence on, in order. */
export async function* readJournal(bus: Bus, stream: string, subject: string, fromSequence: number): AsyncGenerator<Entry> {
  let next = Math.max(1, fromSequence);
  for (;;) {
    let got = 0;
    let pending = 0;
    if (bus.hasBatchGet) {
      try {
        const query = { seq: next, next_by_subj: subject, batch: batchSize };
        for await (const stored of await bus.manager.direct.getBatch(stream, query)) {
          got += 1;
          next = stored.seq + 1;
          pending = stored.pending;
          yield { subject: stored.subject, sequence: stored.seq, header: stored.header, body: stored.data };
        }
      } catch (error) {
        // A batch past the end throws: that is empty.
        if (!isNotFound(error)) throw error;
      }
      if (got === 0 || pending <= 0) return;
    } else {
      const stored = await bus.manager.direct.getMessage(stream, { seq: next, next_by_subj: subject }).catch(notFoundIsNull);
      if (!stored) return;
      next = stored.seq + 1;
      yield { subject: stored.subject, sequence: stored.seq, header: stored.header, body: stored.data };
    }
  }
}

/** One stored event by its place, if it stands on the journal named and its author may say it. */
export async function readStored(
  options: Pick<JournalOptions<unknown>, 'bus' | 'namespace' | 'verify' | 'log'>,
  journal: string,
  sequence: number,
): Promise<Stored | { problem: string }> {
  const stream = streamNames(options.namespace).events;
  const stored = await options.bus.manager.direct.getMessage(stream, { seq: sequence }).catch(notFoundIsNull);
  if (!stored) return { problem: `the record has no event ${sequence}` };
  if (stored.subject !== journal) return { problem: `event ${sequence} stands on ${stored.subject}, not on ${journal}` };
  const entry: Entry = { subject: journal, sequence, header: stored.header, body: stored.data };
  const problem = entryProblem(options as JournalOptions<unknown>, options.namespace, entry);
  if (problem) return { problem };
  return { journal, sequence, event: JSON.parse(Buffer.from(stored.data).toString('utf8')) as Envelope };
}
