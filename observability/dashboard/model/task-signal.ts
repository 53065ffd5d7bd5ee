import type { EventOf } from '../../../schemas/catalogue.ts';
import type { Work } from '../../../schemas/work.ts';
import type { SignName } from './signs.ts';

/** The sign of what the manager did. */
export function signOfTask(type: EventOf<'task'>): SignName {
  switch (type) {
    case 'task.accepted':
    case 'task.planned':
    case 'task.handed_over':
    case 'task.resumed':
      return 'given';
    case 'task.revision_requested':
      return 'changes';
    case 'task.waiting':
      return 'waits';
    case 'task.paused':
      return 'paused';
    case 'task.completed':
      return 'done';
    case 'task.rejected':
    case 'task.failed':
      return 'failed';
    case 'task.cancelled':
      return 'cancelled';
  }
}

/** What the manager did, in a few words. */
export function wordOfTask(type: EventOf<'task'>, data: unknown): string {
  const { next, cyclesLeft } = data as { next?: Work; cyclesLeft?: number };
  if (type === 'task.revision_requested') return `changes asked for, ${cyclesLeft ?? 0} review cycles left`;
  const word = type.slice('task.'.length).replaceAll('_', ' ');
  return next ? `${word} to the ${next.role}` : word;
}
