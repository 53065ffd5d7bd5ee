import { findRow } from '../schemas/catalogue.ts';
import { consumerNames } from '../schemas/destination.ts';
import { saidAtMs, shortType, type Envelope } from '../schemas/envelope.ts';
import type { Given } from '../schemas/row.ts';
import { poolInbox, roleInbox, submitSubject, timerInbox } from '../schemas/subject.ts';
import { known, spanIdOf, spanOfMessage, type OpenSpans } from './open-spans.ts';
import type { RecordedEvent } from './task-view.ts';
import { keys, messagingSpanName, taxonomy } from './taxonomy.ts';

/** Who stored an event. */
interface Author {
  role: string;
  process: string;
}

export interface MessagingSpans {
  /** Sees every event before its own spans; gives the delivery that it was decided on. */
  take(recorded: RecordedEvent, common: Record<string, string | number>): string | undefined;
  /** Ends the deliveries of a journal that no open step holds. `holder`: the process that holds one. */
  settle(journal: string, holder: { process: string; deliveries: number } | undefined, atMs: number): void;
}

/** Spans of the messages between roles: who sent what, and each delivery of it. A request from outside hangs below `rootId`. */
export function openMessagingSpans(spans: OpenSpans, namespace: string, rootId: string): MessagingSpans {
  /** Span and process of each stored event, by its place: a homecoming names its cause so. */
  const byPlace = new Map<number, { id: string; atMs: number; type: string } & Author>();
  const bySpan = new Map<string, Author>();
  const sent = new Set<string>();
  const delivered = new Map<string, string>();

  function take(recorded: RecordedEvent, common: Record<string, string | number>): string | undefined {
    const { event, sequence, journal, atMs } = recorded;
    const { given } = event.data as { given?: Given };
    const role = event.sender ?? '';
    const process = given?.process ?? '';
    const own = { role, process };
    byPlace.set(sequence, { id: event.id, atMs, type: shortType(event.type), ...own });
    bySpan.set(spanOfMessage(event.id), own);
    if (!given) return undefined;
    const delivery = `${given.inputId} ${given.claim?.process ?? process} ${given.claim?.deliveries ?? 1}`;
    const key = `process ${journal} ${delivery}`;
    if (spans.has(key)) return spans.idOf(key);
    const message = messageOf(given, role, String(common[keys.task] ?? ''));
    if (!message) return delivered.get(`${journal} ${given.inputId}`);
    const { attributes, template, isRequest } = message;
    const parent = isRequest ? rootId : spanOfMessage(given.inputId);
    if (!isRequest && !sent.has(given.inputId)) {
      sent.add(given.inputId);
      const sender = bySpan.get(message.cause ?? '') ?? { role: message.sender, process: '' };
      const startMs = message.atMs || given.atMs;
      const beginning = {
        id: spanOfMessage(given.inputId),
        parent: message.cause,
        name: messagingSpanName('send', template),
        kind: taxonomy.send.kind,
        startMs,
        ...sender,
        attributes: {
          ...common,
          ...attributes,
          [keys.role]: sender.role,
          [keys.messagingOperation]: 'send',
          [keys.messagingOperationType]: 'send',
        },
      };
      spans.emit(beginning, startMs);
    }
    const id = spanIdOf('process', journal, delivery);
    const before = delivered.get(`${journal} ${given.inputId}`);
    delivered.set(`${journal} ${given.inputId}`, id);
    spans.begin(key, {
      id,
      parent,
      name: messagingSpanName('process', template),
      kind: taxonomy.process.kind,
      startMs: given.atMs,
      role,
      process,
      attributes: known({
        ...common,
        ...attributes,
        [keys.messagingOperation]: 'process',
        [keys.messagingOperationType]: 'process',
        [keys.consumerGroup]: message.consumer,
        [keys.deliveries]: given.claim?.deliveries,
      }) as Record<string, string>,
      ...(before === undefined
        ? {}
        : { links: [{ spanId: before, attributes: { [keys.why]: 'it was delivered before' } }] }),
    });
    return id;
  }

  function messageOf(given: Given, role: string, taskId: string) {
    const command = given.command as Partial<Envelope> | undefined;
    if (command?.type && command.id) {
      const type = shortType(command.type);
      const inbox = inboxOf(namespace, type, role, (command.data as { pool?: string } | undefined)?.pool);
      if (!inbox) return undefined;
      const cause = inbox.isRequest || !command.causationid ? undefined : spanOfMessage(command.causationid);
      return {
        ...inbox,
        cause,
        sender: command.sender ?? '',
        atMs: saidAtMs(command) ?? 0,
        attributes: attributesOf(inbox.template, command.id, taskId, command.type, command.source),
      };
    }
    const named = given.reference && byPlace.get(given.reference.sequence);
    if (!named) return undefined;
    const type = named.type.startsWith('call.')
      ? 'call.answered'
      : named.type.startsWith('run.')
        ? 'work.concluded'
        : 'message.dead';
    const inbox = inboxOf(namespace, type, role, undefined);
    if (!inbox) return undefined;
    return {
      ...inbox,
      cause: spanOfMessage(named.id),
      sender: named.role,
      atMs: named.atMs,
      attributes: attributesOf(inbox.template, given.inputId, taskId, `dev.switchyard.${type}.v1`, undefined),
    };
  }

  return {
    take,
    settle(journal, holder, atMs) {
      const head = `process ${journal} `;
      for (const key of spans.keys()) {
        if (!key.startsWith(head)) continue;
        const isHeld = holder !== undefined && key.endsWith(` ${holder.process} ${holder.deliveries}`);
        if (!isHeld) spans.end(key, atMs);
      }
    },
  };
}

function attributesOf(
  template: string,
  id: string,
  taskId: string,
  type: string,
  source: string | undefined,
) {
  return known({
    [keys.messagingSystem]: 'nats',
    [keys.destination]: template.replace('{taskId}', taskId),
    [keys.destinationTemplate]: template,
    [keys.messageId]: id,
    [keys.messageConversation]: taskId,
    [keys.eventId]: id,
    [keys.eventSource]: source,
    [keys.eventType]: type,
  });
}

/** Where a message of this type waits for a role, and the consumer that hands it out. */
function inboxOf(namespace: string, type: string, role: string, pool: string | undefined) {
  const row = findRow(type);
  if (!row || row.kind === 'event') return undefined;
  const isRequest = row.kind === 'request';
  if (isRequest) return { template: submitSubject(namespace), consumer: consumerNames.submit, isRequest };
  if (row.kind === 'timer')
    return {
      template: timerInbox(namespace, role, '{taskId}', '{purpose}'),
      consumer: consumerNames.timer(role),
      isRequest,
    };
  return row.inbox === 'pool' && pool !== undefined
    ? { template: poolInbox(namespace, pool, '{taskId}'), consumer: consumerNames.pool(pool), isRequest }
    : { template: roleInbox(namespace, role, '{taskId}'), consumer: consumerNames.role(role), isRequest };
}
