import { headers } from '@nats-io/nats-core';
import { deriveId, message } from '../schemas/envelope.ts';
import type { Role } from '../schemas/row.ts';
import { deadSubject, journalSubject, roleInbox } from '../schemas/subject.ts';
import type { Bus } from './connect.ts';
import type { Delivery } from './delivery.ts';
import { RetryableError } from './errors.ts';
import type { Journals } from './journal.ts';
import { send } from './relay.ts';

export interface DeadLetterOptions {
  bus: Bus;
  namespace: string;
  role: Role;
  process: string;
  /** Journals of dead letters; nothing is folded but their existence. */
  journals: Journals<number>;
}

/** Headers of a dead letter that say where it came from; the body is the original message's. */
export const deadHeaders = {
  subject: 'Switchyard-Subject',
  reason: 'Switchyard-Reason',
  id: 'Switchyard-Dead-Id',
} as const;

/** Lost races that no other process's append explains. */
const mostAttempts = 20;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The task that an inbox's subject names: a message that nobody can read stands in some task's way all the same. */
function taskOfInbox(namespace: string, subject: string): string | undefined {
  const [kind, , taskId] = subject.startsWith(`${namespace}.inbox.`)
    ? subject.slice(`${namespace}.inbox.`.length).split('.')
    : [];
  return kind && taskId && uuid.test(taskId) ? taskId : undefined;
}

/**
 * Gives a message up: first the fact is appended, once however many processes try; then the original goes to the dead
 * letters; then its task's manager is told; only then is the message taken from its inbox.
 */
export async function bury(
  options: DeadLetterOptions,
  delivery: Delivery,
  reasons: string[],
  admittedTaskId?: string,
): Promise<void> {
  const { bus, namespace, role } = options;
  const taskId = admittedTaskId ?? taskOfInbox(namespace, delivery.subject);
  const id = deriveId('dead', delivery.stream, delivery.sequence, delivery.atMs);
  const journal = journalSubject(namespace, { entity: 'mesh', taskId: 'mesh', role: 'dead', id });
  const atMs = Date.now();
  const lineage = {
    taskId: taskId ?? id,
    correlationId: taskId ?? id,
    causationId: id,
    hop: 0,
    cyclesLeft: 0,
  };
  let folded = await options.journals.load(journal, true);
  for (let attempt = 0; folded.count === 0; attempt += 1) {
    if (attempt >= mostAttempts)
      throw new RetryableError(`the dead letter ${id} cannot be appended to ${journal}`);
    const event = message('mesh.dead_lettered', id, role, 'operator', lineage, atMs, {
      messageId: id,
      subject: delivery.subject,
      sequence: delivery.sequence,
      deliveries: delivery.deliveries,
      reasons: told(reasons),
      role,
      process: options.process,
      atMs,
      retry: `./switchyard dead retry ${id}`,
    });
    folded =
      (await options.journals.append(journal, folded, event)) ?? (await options.journals.load(journal, true));
  }
  const header = headers();
  for (const [name, value] of delivery.headers) if (!name.startsWith('Nats-')) header.append(name, value);
  header.set(deadHeaders.subject, delivery.subject);
  header.set(
    deadHeaders.reason,
    reasons
      .join('; ')
      .replaceAll(/[\r\n]+/g, ' ')
      .slice(0, 2000),
  );
  header.set(deadHeaders.id, id);
  await bus.jetstream.publish(deadSubject(namespace, role, id), fitting(delivery.body, bus), {
    msgID: id,
    headers: header,
    timeout: 5000,
  });
  if (taskId) {
    const notice = message('message.dead', deriveId(journal, 'notice'), role, 'manager', lineage, atMs, {
      journal,
      sequence: folded.sequence,
    });
    await send(bus, roleInbox(namespace, 'manager', taskId), notice, notice.id);
  }
  delivery.giveUp();
}

/** The first reasons whole enough to act on; a message with thousands of faults says how many more there are. */
function told(reasons: string[]): string[] {
  const most = 50;
  const first = reasons.slice(0, most).map((reason) => reason.slice(0, 2000));
  return reasons.length > most ? [...first, `and ${reasons.length - most} more`] : first;
}

/** A message that only just fitted has no room for the headers that say where it came from; then its start is kept. */
function fitting(body: Uint8Array, bus: Bus): Uint8Array {
  const room = (bus.connection.info?.max_payload ?? Infinity) - 16_384;
  return body.length > room ? body.subarray(0, room) : body;
}
