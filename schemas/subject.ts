import { findRow } from './catalogue.ts';
import type { Author, Entity, Row } from './row.ts';
import { shortType, type Envelope } from './envelope.ts';

/** What names one journal. `role` is needed for a run, `id` for all but a task. */
export interface JournalName {
  entity: Entity;
  taskId: string;
  id?: string;
  role?: string;
}

/** The literal subject of a journal below a namespace. */
export function journalSubject(namespace: string, name: JournalName): string {
  const head = `${namespace}.event.${name.taskId}`;
  switch (name.entity) {
    case 'task':
      return `${head}.task`;
    case 'route':
      return `${head}.route.${name.id}`;
    case 'run':
      return `${head}.run.${name.role}.${name.id}`;
    case 'call':
      return `${head}.call.${name.id}`;
    case 'mesh':
      return `${namespace}.event.mesh.${name.role}.${name.id}`;
  }
}

/** Reads a journal's subject back, or undefined when it is none. */
export function readJournalSubject(namespace: string, subject: string): JournalName | undefined {
  const head = `${namespace}.event.`;
  if (!subject.startsWith(head)) return undefined;
  const parts = subject.slice(head.length).split('.');
  const [taskId, entity, first, second] = parts;
  if (!taskId) return undefined;
  if (taskId === 'mesh')
    return parts.length === 3 ? { entity: 'mesh', taskId, role: entity!, id: first! } : undefined;
  if (entity === 'task' && parts.length === 2) return { entity, taskId };
  if ((entity === 'route' || entity === 'call') && parts.length === 3) return { entity, taskId, id: first! };
  if (entity === 'run' && parts.length === 4) return { entity, taskId, role: first!, id: second! };
  return undefined;
}

/** The kind of mesh journal that an event stands on: dead letters, the breaker of a pool, what is debugged, or a crash. */
export const meshJournalOf = (type: string): 'breaker' | 'dead' | 'mode' | 'crash' =>
  type.startsWith('breaker.')
    ? 'breaker'
    : type === 'mesh.mode'
      ? 'mode'
      : type === 'mesh.crash'
        ? 'crash'
        : 'dead';

/** Why this author may not have written this event on this journal, or undefined when all fits. */
export function authorProblem(
  name: JournalName,
  event: Pick<Envelope, 'type' | 'sender' | 'subject'>,
): string | undefined {
  const found: Row | undefined = findRow(shortType(event.type));
  if (!found || found.kind !== 'event') return `${event.type} is no event of the contract`;
  if (found.journal !== name.entity)
    return `${found.type} belongs on a ${found.journal} journal, not on a ${name.entity} journal`;
  if (!found.publishedBy.includes(event.sender as Author)) return `${event.sender} may not say ${found.type}`;
  if (name.entity === 'run' && name.role !== event.sender)
    return `a run of the ${name.role} has an entry by ${event.sender}`;
  if (name.entity === 'mesh' && name.role !== meshJournalOf(found.type))
    return `${found.type} does not belong on a ${name.role} journal`;
  if (name.entity !== 'mesh' && event.subject !== name.taskId)
    return `the entry is about task ${event.subject}`;
  return undefined;
}

export const submitSubject = (namespace: string) => `${namespace}.submit`;
export const roleInbox = (namespace: string, role: string, taskId: string) =>
  `${namespace}.inbox.role.${role}.${taskId}`;
export const poolInbox = (namespace: string, pool: string, taskId: string) =>
  `${namespace}.inbox.pool.${pool}.${taskId}`;
/** A timer's subject ends in what it is for, so that the sweep can tell which timer is still waiting. */
export const timerInbox = (namespace: string, role: string, taskId: string, purpose: string) =>
  `${namespace}.inbox.timer.${role}.${taskId}.${purpose}`;
export const liveSubject = (namespace: string, taskId: string, runId: string) =>
  `${namespace}.live.${taskId}.${runId}`;
export const deadSubject = (namespace: string, role: string, id: string) => `${namespace}.dead.${role}.${id}`;
export const holderSubject = (namespace: string, process: string) => `${namespace}.process.${process}`;

/** `yard` -> `YARD_EVENTS` and its sisters. */
export function streamNames(namespace: string): { inbox: string; events: string; dead: string } {
  const head = namespace.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
  return { inbox: `${head}_INBOX`, events: `${head}_EVENTS`, dead: `${head}_DEAD` };
}
