import { headers } from '@nats-io/nats-core';
import { DeliverPolicy, type StoredMsg } from '@nats-io/jetstream';
import { v4 } from 'uuid';
import { cloudEventType, rowOf, type DataOf, type TypeName } from '../schemas/catalogue.ts';
import type { Breaker } from '../schemas/breaker.ts';
import { taskIdOf, type Envelope } from '../schemas/envelope.ts';
import type { Stored } from '../schemas/service.ts';
import { journalSubject, streamNames, submitSubject } from '../schemas/subject.ts';
import { readBacklogs, type Backlog } from './backlog.ts';
import { readBreaker } from './breaker.ts';
import { connect, type Bus, type Credentials } from './connect.ts';
import { deadHeaders } from './dead-letter.ts';
import { BrokerError } from './errors.ts';
import { entryProblem } from './journal.ts';
import { notFoundIsNull } from './not-found.ts';
import { openRegistry, type Heartbeat } from './registry.ts';
import { openVerifier, signatureHeader, type PublicKeys } from './signature.ts';

/** An event with the time at which the stream stored it. */
export interface Recorded extends Stored {
  atMs: number;
}

/** An event as its bytes stand in the record, with the signature that its author put to it. */
export interface RawEntry {
  journal: string;
  sequence: number;
  atMs: number;
  body: Uint8Array;
  signature: string;
}

export interface DeadLetter {
  id: string;
  subject: string;
  reason: string;
  atMs: number;
  body: string;
  taskId?: string;
}

/** What a person or a dashboard does with a mesh: ask, follow, read. It decides nothing. */
export interface Client {
  bus: Bus;
  /** Asks for something from outside; durable once this resolves. The same source and id is the same task. */
  request<Name extends TypeName>(
    type: Name,
    data: DataOf<Name>,
    identity?: { source: string; id: string },
  ): Promise<Receipt>;
  /** True while nobody has finished with the request that was stored at this place of the inbox. */
  isWaiting(sequence: number): Promise<boolean>;
  /** A task's events from the first on, or from a place in the record, then live, until the caller stops or the signal aborts. */
  follow(taskId: string, signal: AbortSignal, fromSequence?: number): AsyncGenerator<Recorded>;
  /** A task's events so far, in the order of the record. */
  read(taskId: string): Promise<Recorded[]>;
  /** The same with the bytes as they are stored, for who checks signatures. */
  readRaw(taskId: string): Promise<RawEntry[]>;
  /** One stored event by its place, whatever task it belongs to; undefined where the record has none. */
  readAt(sequence: number): Promise<RawEntry | undefined>;
  /** The journals of all tasks, newest first, each with its events. */
  taskJournals(): Promise<{ taskId: string; events: Recorded[] }[]>;
  /** What is said of a task while it is done, such as the words of a reply as they come; none of it is stored. */
  live(taskId: string, onLive: (kind: string, data: Record<string, unknown>) => void): () => void;
  living(): Promise<Heartbeat[]>;
  backlogs(): Promise<Backlog[]>;
  breaker(pool: string): Promise<Breaker>;
  deadLetters(): Promise<DeadLetter[]>;
  /** Puts a dead letter back where it waited, under a new message id and its old event id. */
  retry(id: string): Promise<DeadLetter>;
  close(): Promise<void>;
}

/** What the stream said when it took a request. */
export interface Receipt {
  taskId: string;
  eventId: string;
  /** Its place in the inbox; that of the first copy where it is a duplicate. */
  sequence: number;
  isDuplicate: boolean;
}

/**
 * Without `publicKeys` signatures are not checked: only who may have written an event. A broker that does not answer is
 * asked again for `patienceMs`: one that is started anew, or has much to do, takes seconds.
 */
export async function openClient(
  url: string,
  namespace: string,
  credentials?: Credentials,
  publicKeys?: PublicKeys,
  patienceMs = 10_000,
): Promise<Client> {
  const verify = publicKeys && openVerifier(publicKeys);
  /** A person is shown what the mesh believes and nothing else. */
  const isBelieved = (entry: RawEntry) =>
    entryProblem({ ...(verify ? { verify } : {}) }, namespace, { ...entry, subject: entry.journal }) ===
    undefined;
  const bus = await connect(url, 'operator', credentials, patienceMs);
  const streams = streamNames(namespace);
  const taskPattern = (taskId: string) => `${namespace}.event.${taskId}.>`;

  async function* entries(pattern: string, signal?: AbortSignal, fromSequence = 1): AsyncGenerator<RawEntry> {
    const start =
      fromSequence > 1
        ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: fromSequence }
        : { deliver_policy: DeliverPolicy.All };
    const consumer = await bus.jetstream.consumers.get(streams.events, {
      filter_subjects: [pattern],
      ...start,
    });
    const messages = await consumer.consume();
    if (signal?.aborted) messages.stop();
    const stop = () => messages.stop();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      for await (const message of messages) {
        yield {
          journal: message.subject,
          sequence: message.seq,
          atMs: message.time.getTime(),
          body: message.data,
          signature: message.headers?.get(signatureHeader) ?? '',
        };
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      messages.stop();
      // It would stay for minutes, and a stream takes so many consumers and no more.
      await consumer.delete().catch(() => false);
    }
  }

  async function* events(
    pattern: string,
    signal?: AbortSignal,
    fromSequence?: number,
  ): AsyncGenerator<Recorded> {
    for await (const entry of entries(pattern, signal, fromSequence))
      if (isBelieved(entry)) yield recordedOf(entry);
  }

  const readAll = async (pattern: string): Promise<Recorded[]> =>
    (await readEntries(pattern)).filter(isBelieved).map(recordedOf);

  /** Reads up to the end as it is now. */
  async function readEntries(pattern: string): Promise<RawEntry[]> {
    const info = await bus.manager.streams.info(streams.events, { subjects_filter: pattern });
    const counts = Object.values(info.state.subjects ?? {});
    let left = counts.reduce((sum, count) => sum + count, 0);
    const found: RawEntry[] = [];
    if (left === 0) return found;
    for await (const one of entries(pattern)) {
      found.push(one);
      left -= 1;
      if (left <= 0) break;
    }
    return found;
  }

  const deadOf = (stored: StoredMsg): DeadLetter => {
    const body = Buffer.from(stored.data).toString('utf8');
    let taskId: string | undefined;
    try {
      taskId = (JSON.parse(body) as Envelope).subject;
    } catch {
      // What is no JSON is shown as it is.
    }
    return {
      id: stored.header.get(deadHeaders.id),
      subject: stored.header.get(deadHeaders.subject),
      reason: stored.header.get(deadHeaders.reason),
      atMs: stored.time.getTime(),
      body,
      ...(taskId ? { taskId } : {}),
    };
  };

  async function deadLetterMessages(): Promise<StoredMsg[]> {
    const found: StoredMsg[] = [];
    const info = await bus.manager.streams.info(streams.dead);
    for (let sequence = info.state.first_seq; sequence <= info.state.last_seq; sequence += 1) {
      const stored = await bus.manager.direct.getMessage(streams.dead, { seq: sequence }).catch(() => null);
      if (stored) found.push(stored);
    }
    return found;
  }

  return {
    bus,
    async request(type, data, identity) {
      const id = identity?.id ?? v4();
      const source = identity?.source ?? '/switchyard/cli';
      const event: Envelope = {
        specversion: '1.0',
        id,
        source,
        type: cloudEventType(rowOf(type)),
        time: new Date().toISOString(),
        datacontenttype: 'application/json',
        data,
      };
      const header = headers();
      header.set('Content-Type', 'application/cloudevents+json');
      const receipt = await bus.jetstream.publish(submitSubject(namespace), JSON.stringify(event), {
        msgID: `${source}|${id}`,
        headers: header,
        timeout: 5000,
      });
      const taskId = type === 'task.submit' ? taskIdOf(event) : (data as { taskId: string }).taskId;
      return { taskId, eventId: id, sequence: receipt.seq, isDuplicate: receipt.duplicate };
    },
    async isWaiting(sequence) {
      // The inbox is a work queue: what is finished is gone.
      const stored = await bus.manager.direct
        .getMessage(streams.inbox, { seq: sequence })
        .catch(notFoundIsNull);
      return stored !== null;
    },
    follow: (taskId, signal, fromSequence) => events(taskPattern(taskId), signal, fromSequence),
    read: (taskId) => readAll(taskPattern(taskId)),
    readRaw: (taskId) => readEntries(taskPattern(taskId)),
    async readAt(sequence) {
      const stored = await bus.manager.direct
        .getMessage(streams.events, { seq: sequence })
        .catch(notFoundIsNull);
      if (!stored) return undefined;
      const signature = stored.header?.get(signatureHeader) ?? '';
      return { journal: stored.subject, sequence, atMs: stored.time.getTime(), body: stored.data, signature };
    },
    async taskJournals() {
      const byTask = new Map<string, Recorded[]>();
      for (const one of await readAll(journalSubject(namespace, { entity: 'task', taskId: '*' }))) {
        const taskId = one.event.subject ?? '';
        byTask.set(taskId, [...(byTask.get(taskId) ?? []), one]);
      }
      return [...byTask]
        .map(([taskId, list]) => ({ taskId, events: list }))
        .toSorted((a, b) => b.events[0]!.atMs - a.events[0]!.atMs);
    },
    live(taskId, onLive) {
      const subscription = bus.connection.subscribe(`${namespace}.live.${taskId}.>`, {
        callback: (error, message) => {
          if (error) return;
          const { kind, ...data } = message.json<{ kind: string } & Record<string, unknown>>();
          onLive(kind, data);
        },
      });
      return () => subscription.unsubscribe();
    },
    async living() {
      const registry = await openRegistry(bus, namespace, true);
      await new Promise((resolve) => setTimeout(resolve, 300));
      registry.stop();
      return registry.living();
    },
    backlogs: () => readBacklogs(bus, namespace),
    breaker: (pool) => readBreaker({ bus, namespace, ...(verify ? { verify } : {}) }, pool),
    async deadLetters() {
      return (await deadLetterMessages()).map(deadOf);
    },
    async retry(id) {
      const stored = (await deadLetterMessages()).find((one) => one.header.get(deadHeaders.id) === id);
      if (!stored) throw new BrokerError(`there is no dead letter ${id}`, './switchyard dead list');
      const header = headers();
      for (const [name, values] of stored.header) {
        if (name.startsWith('Nats-') || name.startsWith('Switchyard-')) continue;
        for (const value of values) header.append(name, value);
      }
      const dead = deadOf(stored);
      const role = stored.subject.split('.')[2] ?? '';
      if (!isInboxOf(namespace, role, dead.subject)) {
        throw new BrokerError(
          `the dead letter ${id} says that it waited on ${dead.subject}, which is no inbox of the ${role} that gave it up`,
          `look at it with ./switchyard dead show ${id}; it is not put there`,
        );
      }
      await bus.jetstream.publish(dead.subject, stored.data, { msgID: v4(), headers: header, timeout: 5000 });
      return dead;
    },
    async close() {
      await bus.connection.close();
    },
  };
}

/** A role can only give up what came to it, so what it says of a dead letter's place is held to that. */
function isInboxOf(namespace: string, role: string, subject: string): boolean {
  const own = ['role', 'timer'].map((kind) => `${namespace}.inbox.${kind}.${role}.`);
  if (role === 'inference') own.push(`${namespace}.inbox.pool.`);
  if (role === 'manager' && subject === submitSubject(namespace)) return true;
  return own.some((head) => subject.startsWith(head));
}

/** An entry of the record with its event read. */
export function recordedOf(entry: RawEntry): Recorded {
  const event = JSON.parse(Buffer.from(entry.body).toString('utf8')) as Envelope;
  return { journal: entry.journal, sequence: entry.sequence, event, atMs: entry.atMs };
}
