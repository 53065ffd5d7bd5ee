import { headers } from '@nats-io/nats-core';
import { deriveId, message, type Envelope, type Lineage } from '../schemas/envelope.ts';
import type { Role } from '../schemas/row.ts';
import type { Owed } from '../schemas/service.ts';
import { poolInbox, readJournalSubject, roleInbox, timerInbox } from '../schemas/subject.ts';
import type { Bus } from './connect.ts';
import { RetryableError } from './errors.ts';
import type { Folded } from './journal.ts';

/** Where an owed message goes. */
export function inboxOf(namespace: string, owed: Owed, role: Role, taskId: string): string {
  switch (owed.to.inbox) {
    case 'role':
      return roleInbox(namespace, owed.to.role, taskId);
    case 'pool':
      return poolInbox(namespace, owed.to.pool, taskId);
    case 'timer':
      return timerInbox(namespace, role, taskId, owed.to.purpose);
  }
}

/**
 * The message that is owed, made from stored events alone: whoever relays it makes the same one, with the same id.
 */
export function owedMessage(
  namespace: string,
  role: Role,
  journal: string,
  folded: Folded<unknown>,
  owed: Owed,
): Envelope {
  const last = folded.last!;
  const name = readJournalSubject(namespace, journal)!;
  const recipient =
    owed.to.inbox === 'role' ? owed.to.role : owed.to.inbox === 'pool' ? `pool ${owed.to.pool}` : role;
  return message(
    owed.type,
    deriveId(journal, owed.key),
    role,
    recipient,
    lineageOf(last, name.taskId, last.id),
    Date.parse(last.time ?? '') || 0,
    owed.data as never,
  );
}

/** What a message hands on to the one that follows from it. */
export function lineageOf(cause: Envelope, taskId: string, causationId: string): Lineage {
  return {
    taskId,
    correlationId: cause.correlationid ?? taskId,
    causationId,
    ...(cause.traceparent ? { traceparent: cause.traceparent } : {}),
    ...(cause.tracestate ? { tracestate: cause.tracestate } : {}),
    hop: cause.hop ?? 0,
    cyclesLeft: cause.cyclesleft ?? 0,
  };
}

/** Sends a command and waits for the stream's receipt. A `messageId` that is still remembered is swallowed. */
export async function send(bus: Bus, subject: string, event: Envelope, messageId: string): Promise<void> {
  const header = headers();
  header.set('Content-Type', 'application/cloudevents+json');
  try {
    await bus.jetstream.publish(subject, JSON.stringify(event), {
      msgID: messageId,
      headers: header,
      timeout: 5000,
    });
  } catch (error) {
    // A subject that no stream captures has nobody who answers, and the client takes that for a broker without JetStream.
    if (!(error instanceof Error) || !/jetstream is not enabled/i.test(error.message)) throw error;
    throw new RetryableError(
      `no stream takes messages for ${subject}: the name is wrong, or the mesh's streams are gone (\`./switchyard up\` makes them)`,
      { cause: error },
    );
  }
}
