import { headers, type MsgHdrs } from '@nats-io/nats-core';
import { JetStreamApiError } from '@nats-io/jetstream';
import { deriveId, shortType, type Envelope } from '../schemas/envelope.ts';
import type { Given } from '../schemas/row.ts';
import type { Stored } from '../schemas/service.ts';
import { authorProblem, readJournalSubject, streamNames } from '../schemas/subject.ts';
import type { Bus } from './connect.ts';
import { PermanentError } from './errors.ts';
import type { Log } from './log.ts';
import { isNotFound, notFoundIsNull } from './not-found.ts';
import { signatureHeader } from './signature.ts';

/** A journal folded up to its tail as it was read. `sequence` counts rejected entries too: it is what an append expects. */
export interface Folded<State> {
  state: State;
  sequence: number;
  /** Events folded so far. */
  count: number;
  last?: Envelope;
  /** Message id of the last entry, believed or not: other events may have taken the place of lost ones. */
  tailId?: string;
  /** True when the tail was looked at for this very load. */
  isFresh: boolean;
  /** How often everything had been dropped; what was folded before that is not appended to. */
  generation: number;
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
  /** Drops everything, for when the stream may not be the one it was; nothing folded before is appended to any more. */
  forgetAll(): void;
}

const wrongLastSequence = 10071;
const batchSize = 256;
/** What is left for the headers of a message. */
const headerRoomBytes = 4096;

/** Journals of one kind: read, fold, append by compare-and-set. The cache may be dropped at any time. */
export function openJournals<State>(options: JournalOptions<State>): Journals<State> {
  const { bus, namespace, log } = options;
  const stream = streamNames(namespace).events;
  const cache = new Map<string, Folded<State>>();
  const cacheSize = options.cacheSize ?? 2000;
  let generation = 0;

  function keep(subject: string, folded: Folded<State>): void {
    cache.delete(subject);
    if (folded.generation !== generation) return;
    cache.set(subject, folded);
    if (cache.size > cacheSize) cache.delete(cache.keys().next().value!);
  }

  function foldOne(folded: Folded<State>, entry: Entry): Folded<State> {
    const passOver = (problem: string) => {
      const line = { journal: entry.subject, sequence: entry.sequence, problem };
      log.warn(line, 'an entry of a journal is not believed');
      return { ...folded, sequence: entry.sequence, ...tailIdOf(entry.header) };
    };
    const problem = entryProblem(options, namespace, signed(entry));
    if (problem) return passOver(problem);
    const event = JSON.parse(textOf(entry.body)) as Envelope;
    const wrongPlace = placeProblem(namespace, entry.subject, folded.count, event);
    if (wrongPlace) return passOver(wrongPlace);
    return foldEvent(folded, entry.subject, entry.sequence, event, tailIdOf(entry.header));
  }

  function foldEvent(
    folded: Folded<State>,
    journal: string,
    sequence: number,
    event: Envelope,
    tail: { tailId: string | undefined },
  ): Folded<State> {
    const state = options.evolve(folded.state, { journal, sequence, event });
    return { ...folded, state, sequence, count: folded.count + 1, last: event, ...tail };
  }

  async function readOn(subject: string, from: Folded<State>): Promise<Folded<State>> {
    let folded = from;
    let isKnown = from.sequence === 0;
    // From the last known entry on: where it is not what it was, the broker lost its tail, and what is cached never was.
    for await (const entry of readJournal(bus, stream, subject, from.sequence)) {
      if (isKnown) folded = foldOne(folded, entry);
      else if (entry.sequence !== from.sequence || tailIdOf(entry.header).tailId !== from.tailId)
        return readOn(subject, empty());
      isKnown = true;
    }
    if (!isKnown) return readOn(subject, empty());
    folded = { ...folded, isFresh: true };
    keep(subject, folded);
    return folded;
  }

  const empty = (): Folded<State> => ({
    state: options.initial,
    sequence: 0,
    count: 0,
    isFresh: false,
    generation,
  });

  return {
    async load(subject, fresh) {
      const cached = cache.get(subject);
      if (!cached) return readOn(subject, empty());
      if (!fresh) return { ...cached, isFresh: false };
      const tail = await bus.manager.direct
        .getMessage(stream, { last_by_subj: subject })
        .catch(notFoundIsNull);
      if (tail?.seq === cached.sequence && tailIdOf(tail.header).tailId === cached.tailId)
        return { ...cached, isFresh: true };
      return readOn(subject, cached);
    },
    async append(subject, after, event) {
      // The connection broke since: other events may have taken the places that this state was folded from.
      if (after.generation !== generation) return undefined;
      const body = Buffer.from(JSON.stringify(event));
      const roomBytes = (bus.connection.info?.max_payload ?? Infinity) - headerRoomBytes;
      if (body.length > roomBytes) {
        throw new PermanentError([
          `${event.type} is ${body.length} bytes long and the broker takes ${roomBytes}: raise its max_payload`,
        ]);
      }
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
        const folded = foldEvent({ ...after, isFresh: true }, subject, receipt.seq, event, {
          tailId: event.id,
        });
        keep(subject, folded);
        return folded;
      } catch (error) {
        cache.delete(subject);
        // A store that refuses has not stored it: that is no race to run again at once.
        if (error instanceof JetStreamApiError && error.code !== wrongLastSequence) throw error;
        log.debug({ journal: subject, error }, 'an append was not clean; folding again');
        return undefined;
      }
    },
    forget: (subject) => void cache.delete(subject),
    forgetAll() {
      cache.clear();
      generation += 1;
    },
  };
}

/**
 * The id of a decided event: named after its journal, its input and how many events the decision had seen, so that two
 * decisions on one input in one state have one id, and an event fits no other place than its own.
 */
export function eventId(journal: string, inputId: string, count: number, type: string): string {
  return deriveId(journal, inputId, count, type);
}

/** JetStream can be made to store an authentic entry once more; it was decided where another stands, and counts once. */
function placeProblem(
  namespace: string,
  journal: string,
  count: number,
  event: Envelope,
): string | undefined {
  // Nothing is decided on the journals of dead letters: they hold a single fact each.
  const name = readJournalSubject(namespace, journal);
  if (name?.entity === 'mesh' && name.role === 'dead') return undefined;
  const { given } = (event.data ?? {}) as { given?: Partial<Given> };
  if (event.id === eventId(journal, given?.inputId ?? '', count, shortType(event.type))) return undefined;
  return `it was not decided on the ${count} events before it`;
}

interface Entry {
  subject: string;
  sequence: number;
  header: MsgHdrs | undefined;
  body: Uint8Array;
}

/** Why an entry is not to be believed, or undefined. */
export function entryProblem(
  options: Pick<Believing, 'verify'>,
  namespace: string,
  entry: { subject: string; body: Uint8Array; signature: string },
): string | undefined {
  const read = readEntry(namespace, entry);
  if ('problem' in read) return read.problem;
  if (!options.verify) return undefined;
  const { sender } = read.event;
  return options.verify(sender!, entry.subject, entry.body, entry.signature)
    ? undefined
    : `it is not signed by the ${sender} for this journal`;
}

/** The event of an entry whose author may say it there, or why not; that it was signed is for the caller to check. */
export function readEntry(
  namespace: string,
  entry: { subject: string; body: Uint8Array },
): { event: Envelope } | { problem: string } {
  const name = readJournalSubject(namespace, entry.subject);
  if (!name) return { problem: 'its subject is no journal' };
  let event: Partial<Envelope> | null;
  try {
    event = JSON.parse(textOf(entry.body)) as typeof event;
  } catch {
    return { problem: 'it is not JSON' };
  }
  if (typeof event?.type !== 'string' || typeof event.id !== 'string')
    return { problem: 'it is no CloudEvent' };
  const wrongAuthor = authorProblem(name, event as Envelope);
  return wrongAuthor ? { problem: wrongAuthor } : { event: event as Envelope };
}

/** A BOM stays, and is no JSON. */
const textOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  Buffer.from(buffer, byteOffset, byteLength).toString('utf8');

/** An entry with the signature that its headers bear. */
const signed = (entry: Entry) => ({ ...entry, signature: entry.header?.get(signatureHeader) ?? '' });

const tailIdOf = (header: MsgHdrs | undefined) => ({ tailId: header?.get('Nats-Msg-Id') });

/** All entries of one subject from a sequence on, in order. */
async function* readJournal(
  bus: Bus,
  stream: string,
  subject: string,
  fromSequence: number,
): AsyncGenerator<Entry> {
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
      const stored = await bus.manager.direct
        .getMessage(stream, { seq: next, next_by_subj: subject })
        .catch(notFoundIsNull);
      if (!stored) return;
      next = stored.seq + 1;
      yield { subject: stored.subject, sequence: stored.seq, header: stored.header, body: stored.data };
    }
  }
}

/** What is needed to tell whether an entry may be believed. */
export type Believing = Pick<JournalOptions<unknown>, 'bus' | 'namespace' | 'verify' | 'log'>;

/** The events of a journal in order; what its author may not have said is passed over. */
export async function* readBelieved(
  options: Omit<Believing, 'log'>,
  journal: string,
): AsyncGenerator<Stored> {
  const { bus, namespace } = options;
  for await (const entry of readJournal(bus, streamNames(namespace).events, journal, 1)) {
    if (entryProblem(options, namespace, signed(entry))) continue;
    yield {
      journal,
      sequence: entry.sequence,
      event: JSON.parse(textOf(entry.body)) as Envelope,
    };
  }
}

/**
 * One stored event by its place, if it stands on the journal named and its author may say it. `isLost`: it is not there
 * at all, or another event has its place; so a reference ends whose event a broker lost.
 */
export async function readStored(
  options: Believing,
  journal: string,
  sequence: number,
): Promise<Stored | { problem: string; isLost: boolean }> {
  const stream = streamNames(options.namespace).events;
  const stored = await options.bus.manager.direct.getMessage(stream, { seq: sequence }).catch(notFoundIsNull);
  if (!stored) return { problem: `the record has no event ${sequence}`, isLost: true };
  if (stored.subject !== journal)
    return { problem: `event ${sequence} stands on ${stored.subject}, not on ${journal}`, isLost: true };
  const entry: Entry = { subject: journal, sequence, header: stored.header, body: stored.data };
  const problem = entryProblem(options, options.namespace, signed(entry));
  if (problem) return { problem, isLost: false };
  return { journal, sequence, event: JSON.parse(Buffer.from(stored.data).toString('utf8')) as Envelope };
}
