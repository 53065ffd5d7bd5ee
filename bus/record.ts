import { setImmediate } from 'node:timers/promises';
import type { StoredMsg } from '@nats-io/jetstream';
import type { Envelope } from '../schemas/envelope.ts';
import { streamNames } from '../schemas/subject.ts';
import type { Bus } from './connect.ts';
import { readEntry } from './journal.ts';
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

/** What the stream holds, as it stands there. */
interface Found {
  found: StoredMsg[];
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

  function check({ found, pending }: Found): RecordBatch {
    const isSigned = verify && openVouching(verify);
    const backwards = found.toReversed().map((stored) => entryOf(stored, isSigned));
    return { entries: backwards.reverse(), pending };
  }

  function entryOf(stored: StoredMsg, isSigned: Verify | undefined): RecordEntry {
    const { subject: journal, seq: sequence, data: body, timestamp } = stored;
    const place = { journal, sequence, atMs: Date.parse(timestamp), mark: timestamp, body };
    const read = readEntry(namespace, { subject: journal, body });
    if ('problem' in read || !isSigned) return { ...place, ...read };
    const { event } = read;
    const signature = stored.header?.get(signatureHeader) ?? '';
    return isSigned(event.sender!, journal, body, signature)
      ? { ...place, event }
      : { ...place, problem: `it is not signed by the ${event.sender} for this journal` };
  }

  async function findAfter({ sequence, mark }: Place): Promise<Found | 'other'> {
    let { found, pending } = await readFrom(Math.max(1, sequence));
    if (sequence > 0) {
      const [known] = found.splice(0, 1);
      if (known?.seq !== sequence || known.timestamp !== mark) return 'other';
      // The entry that is known may have filled the batch.
      if (found.length === 0 && pending > 0) ({ found, pending } = await readFrom(sequence + 1));
    }
    return { found, pending: Math.max(0, pending) };
  }

  async function readFrom(sequence: number): Promise<Found> {
    await back?.promise;
    const found = bus.hasBatchGet ? await readBatch(sequence) : await readOneByOne(sequence);
    return { found, pending: found.at(-1)?.pending ?? 0 };
  }

  async function readBatch(sequence: number): Promise<StoredMsg[]> {
    const query = { seq: sequence, batch: batchSize, max_bytes: batchBytes };
    const messages = await bus.manager.direct.getBatch(stream, query);
    const found: StoredMsg[] = [];
    // The end of a batch never comes when the connection breaks in the middle.
    let isSilent = false;
    const stop = () => {
      isSilent = true;
      messages.stop();
    };
    const silence = setTimeout(stop, silenceMs);
    underWay.add(stop);
    try {
      for await (const one of messages) {
        found.push(one);
        silence.refresh();
      }
    } catch (error) {
      if (!isNotFound(error)) throw error;
    } finally {
      clearTimeout(silence);
      underWay.delete(stop);
    }
    if (isSilent && found.length === 0) throw new Error('the broker does not answer');
    return found;
  }

  /** For servers that know no batches. */
  async function readOneByOne(sequence: number): Promise<StoredMsg[]> {
    const found: StoredMsg[] = [];
    const query = { next_by_subj: `${namespace}.event.>` };
    for (let next = sequence; found.length < batchSize;) {
      const stored = await bus.manager.direct.getMessage(stream, { ...query, seq: next }).catch((error) => {
        if (isNotFound(error)) return null;
        throw error;
      });
      if (!stored) break;
      found.push(stored);
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
        const last = next.found.at(-1);
        isOver = !last || next.pending === 0;
        if (!isOver) {
          finding = ahead(findAfter({ sequence: last!.seq, mark: last!.timestamp }));
          // Whoever takes a batch keeps the thread: what was asked for just now is sent before.
          await setImmediate();
        }
        yield check(next);
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

/** Whoever comes to wait for it is told how it failed; nobody may come. */
function ahead<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {});
  return promise;
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && /not found|no messages/i.test(error.message);
}
