import type { Author, Entity, Role, Row } from './row.ts';
import { journalSubject, meshJournalOf, poolInbox, roleInbox, submitSubject, timerInbox } from './subject.ts';

/** Where messages of a row go. */
export interface Destination {
  /** Names the channel, such as `journal.task` or `inbox.role.coder`. */
  channel: string;
  subject: string;
  stream: 'inbox' | 'events';
  /** The durable consumer that hands it out; a journal is read, not handed out. */
  consumer?: string;
}

/** The durable consumers of the inbox stream; all processes of a role or pool share one. */
export const consumerNames = {
  submit: 'submit',
  role: (role: string) => `role-${role}`,
  timer: (role: string) => `timer-${role}`,
  pool: (pool: string) => `pool-${pool}`,
} as const;

/** What stands in a subject for what differs from message to message: `*` for a permission, `{taskId}` for a page. */
export type Hole = (name: 'taskId' | 'role' | 'runId' | 'callId' | 'id' | 'pool' | 'purpose') => string;

function journalOf(namespace: string, row: Row, role: string, hole: Hole): string {
  const entity: Entity = row.journal;
  switch (entity) {
    case 'task':
      return journalSubject(namespace, { entity, taskId: hole('taskId') });
    case 'route':
      return journalSubject(namespace, { entity, taskId: hole('taskId'), id: hole('runId') });
    case 'run':
      return journalSubject(namespace, { entity, taskId: hole('taskId'), role, id: hole('runId') });
    case 'call':
      return journalSubject(namespace, { entity, taskId: hole('taskId'), id: hole('callId') });
    case 'mesh':
      return journalSubject(namespace, {
        entity,
        taskId: 'mesh',
        role: meshJournalOf(row.type),
        id: hole(row.type.startsWith('breaker.') ? 'pool' : 'id'),
      });
  }
}

function inboxOf(namespace: string, row: Row, consumer: Author, hole: Hole): Destination {
  if (row.inbox === 'pool') {
    return {
      channel: 'inbox.pool',
      subject: poolInbox(namespace, hole('pool'), hole('taskId')),
      stream: 'inbox',
      consumer: consumerNames.pool(hole('pool')),
    };
  }
  return {
    channel: `inbox.role.${consumer}`,
    subject: roleInbox(namespace, consumer, hole('taskId')),
    stream: 'inbox',
    consumer: consumerNames.role(consumer),
  };
}

function timerOf(namespace: string, role: Author, hole: Hole): Destination {
  return {
    channel: `inbox.timer.${role}`,
    subject: timerInbox(namespace, role, hole('taskId'), hole('purpose')),
    stream: 'inbox',
    consumer: consumerNames.timer(role),
  };
}

/** Where a row's messages go: all of them, or with `author` those that this author may send. */
export function destinationsOf(row: Row, namespace: string, hole: Hole, author?: Author): Destination[] {
  if (author && !row.publishedBy.includes(author)) return [];
  switch (row.kind) {
    case 'event': {
      const subject = journalOf(namespace, row, author ?? hole('role'), hole);
      const kind = row.journal === 'mesh' ? meshJournalOf(row.type) : row.journal;
      const channel = kind === 'dead' ? 'journal.mesh' : `journal.${kind}`;
      return [{ channel, subject, stream: 'events' }];
    }
    case 'request': {
      const subject = submitSubject(namespace);
      return [{ channel: 'submit', subject, stream: 'inbox', consumer: consumerNames.submit }];
    }
    case 'timer': // A role sets timers for itself alone.
      return row.consumedBy
        .filter((role) => !author || role === author)
        .map((role) => timerOf(namespace, role, hole));
    case 'command':
    case 'homecoming':
      return row.consumedBy.map((consumer) => inboxOf(namespace, row, consumer, hole));
  }
}

/** What a role is handed out: the requests, its inbox, its timers, and each of the pools given. */
export function intakesOf(
  rows: readonly Row[],
  role: Role,
  namespace: string,
  pools: readonly string[],
  hole: Hole,
): Destination[] {
  const taken = new Map<string, Destination>();
  for (const row of rows) {
    if (row.kind === 'event' || !row.consumedBy.includes(role)) continue;
    const own = { ...row, consumedBy: [role] };
    for (const pool of role === 'inference' ? pools : ['']) {
      const filled: Hole = (name) => (name === 'pool' ? pool : hole(name));
      for (const one of destinationsOf(own, namespace, filled)) taken.set(one.subject, one);
    }
  }
  return [...taken.values()];
}
