import { setImmediate } from 'node:timers/promises';
import { DirectMsgHeaders, type StoredMsg } from '@nats-io/jetstream';
import type { Envelope } from '../schemas/envelope.ts';
import { streamNames } from '../schemas/subject.ts';
import type { Bus } from './connect.ts';
import { readEntry } from './journal.ts';
import { isNotFound, notFoundIsNull } from './not-found.ts';
import { openVerifier, signatureHeader, type PublicKeys, type Verify } from './signature.ts';
import { openVouching } from './vouching.ts';

/** An entry of the record: its event, or why it is not to be believed. `mark` tells it from any other that takes its place. */
export type RecordEntry = {
  journal: string;
  sequence: number;
  /** Milliseconds since 1970 UTC. */
  atMs: number;
  mark: string;
  body: Uint8Array;
} & ({ event: Envelope } | { problem: string });

/** How far somebody has read; `mark` is that of the entry there. */
export interface Place {
  sequence: number;
  mark: string;
}

export const beginning: Place = { sequence: 0, mark: '' };

export interface RecordBatch {
  entries: RecordEntry[];
  /** Entries that follow these. */
  pending: number;
}

export interface RecordReader {
  /**
   * All that comes after a place until nothing is pending; what is not signed is told. While a batch is taken, the next is
   * read. 'other' is the last: what stands at the place reached is not what stood there, so the broker lost its tail or
   * the stream was made anew. Throws while the broker is away.
   */
  readAfter(place: Place): AsyncGenerator<RecordBatch | 'other', void>;
  /** The last place of the stream. */
  head(): Promise<number>;
  /** Calls whenever something may have been stored; not each call brings something. */
  watch(onHint: () => void): () => void;
}

/** A message of the stream, as it stands there. */
interface Found {
  journal: string;
  sequence: number;
  /** When it was stored, RFC 3339 to the nanosecond. */
  mark: string;
  signature: string;
  body: Uint8Array;
  /** Messages that follow it. */
  pending: number;
}

const mostEntries = 1000;
const batchBytes = 4 * 1024 * 1024;
const silenceMs = 5000;

/** Reads the whole record in its order, with no consumer. Without `publicKeys` signatures are not checked. */
export function openRecord(
  bus: Bus,
  namespace: string,
  publicKeys: PublicKeys | undefined,
  batchSize = mostEntries,
): RecordReader {
  const stream = streamNames(namespace).events;
  const verify = publicKeys && openVerifier(publicKeys);
  const underWay = new Set<() => void>();
  const hinted = new Set<() => void>();
  /** What is asked while the broker is away is never sent; resolves when it is back. */
  let back: PromiseWithResolvers<void> | undefined;
  void (async () => {
    for await (const { type } of bus.connection.status()) {
      if (type === 'disconnect') {
        back ??= Promise.withResolvers<void>();
        for (const stop of underWay) stop();
      } else if (type === 'reconnect' || type === 'close') {
        back?.resolve();
        back = undefined;
        for (const hint of hinted) hint();
      }
    }
    back?.resolve();
  })();

  function check(found: readonly Found[]): RecordEntry[] {
    const isSigned = verify && openVouching(verify);
    return found
      .toReversed()
      .map((one) => entryOf(one, isSigned))
      .reverse();
  }

  function entryOf(
    { journal, sequence, mark, signature, body }: Found,
    isSigned: Verify | undefined,
  ): RecordEntry {
    const atMs = Date.parse(mark);
    const read = readEntry(namespace, { subject: journal, body });
    if ('problem' in read) return { journal, sequence, atMs, mark, body, problem: read.problem };
    const { event } = read;
    if (!isSigned || isSigned(event.sender!, journal, body, signature))
      return { journal, sequence, atMs, mark, body, event };
    const problem = `it is not signed by the ${event.sender} for this journal`;
    return { journal, sequence, atMs, mark, body, problem };
  }

  async function findAfter({ sequence, mark }: Place): Promise<Found[] | 'other'> {
    const found = await readFrom(Math.max(1, sequence));
    if (sequence === 0) return found;
    const known = found.shift();
    if (known?.sequence !== sequence || known.mark !== mark) return 'other';
    // The entry that is known may have filled the batch.
    return found.length === 0 && known.pending > 0 ? readFrom(sequence + 1) : found;
  }

  async function readFrom(sequence: number): Promise<Found[]> {
    await back?.promise;
    return bus.hasBatchGet ? readBatch(sequence) : readOneByOne(sequence);
  }

  async function readBatch(sequence: number): Promise<Found[]> {
    const found: Found[] = [];
    const ended = Promise.withResolvers<Error | undefined>();
    const messages = await bus.manager.direct.getBatch(stream, {
      ...{ seq: sequence, batch: batchSize, max_bytes: batchBytes },
      callback(end, stored) {
        if (end) {
          ended.resolve(end.err);
          return;
        }
        found.push(foundOf(stored));
        silence.refresh();
      },
    });
    // The end of a batch never comes when the connection breaks in the middle.
    let isSilent = false;
    const stop = () => {
      isSilent = true;
      messages.stop();
    };
    const silence = setTimeout(stop, silenceMs);
    underWay.add(stop);
    const error = await ended.promise;
    clearTimeout(silence);
    underWay.delete(stop);
    if (error && !isNotFound(error)) throw error;
    if (isSilent && found.length === 0) throw new Error('the broker does not answer');
    return found;
  }

  /** For servers that know no batches. */
  async function readOneByOne(sequence: number): Promise<Found[]> {
    const found: Found[] = [];
    const query = { next_by_subj: `${namespace}.event.>` };
    for (let next = sequence; found.length < batchSize;) {
      const stored = await bus.manager.direct
        .getMessage(stream, { ...query, seq: next })
        .catch(notFoundIsNull);
      if (!stored) break;
      found.push(foundOf(stored));
      next = stored.seq + 1;
    }
    return found;
  }

  return {
    async *readAfter(place) {
      let finding = findAfter(place);
      for (let isOver = false; !isOver;) {
        const next = await finding;
        if (next === 'other') {
          yield next;
          return;
        }
        const last = next.at(-1);
        const pending = Math.max(0, last?.pending ?? 0);
        isOver = pending === 0;
        if (!isOver) {
          finding = ahead(findAfter(last!));
          // Whoever takes a batch keeps the thread: what was asked for just now is sent before.
          await setImmediate();
        }
        yield { entries: check(next), pending };
      }
    },
    async head() {
      return (await bus.manager.streams.info(stream)).state.last_seq;
    },
    watch(onHint) {
      const subscription = bus.connection.subscribe(`${namespace}.event.>`, { callback: () => onHint() });
      hinted.add(onHint);
      return () => {
        subscription.unsubscribe();
        hinted.delete(onHint);
      };
    },
  };
}

/**
 * One walk over the headers, where each getter of a stored message would be a search of its own. What the broker says
 * stands behind what an author may have said under the same name.
 */
function foundOf({ header, data: body }: StoredMsg): Found {
  const found = { journal: '', sequence: 0, mark: '', signature: '', body, pending: 0 };
  for (const [name, values] of header) {
    const last = values.at(-1)!;
    if (name === DirectMsgHeaders.Subject) found.journal = last;
    else if (name === DirectMsgHeaders.Sequence) found.sequence = Number(last);
    else if (name === DirectMsgHeaders.TimeStamp) found.mark = last;
    else if (name === DirectMsgHeaders.NumPending) found.pending = Number(last);
    else if (name === signatureHeader) found.signature = values[0]!;
  }
  return found;
}

/** Whoever comes to wait for it is told how it failed; nobody may come. */
function ahead<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {});
  return promise;
}
