import type { DataOf } from '../../schemas/catalogue.ts';
import type { Decision, Owed } from '../../schemas/service.ts';
import { boundsOf } from './pause.ts';
import type { Task } from './task.ts';

/** What is looked up when a watch is due. */
export interface WatchFacts {
  /** How many live processes each role has. */
  living?: Record<string, number>;
  /** When the current run last stored an event; absent when it has none. */
  lastProgressAtMs?: number;
}

/** How long a run may be without progress before it is asked whether anyone is there to make any. */
const watchMs = 10_000;
const watchAgainMs = 5_000;

/** Says what a run waits for: no progress, and no live process of a role that it needs. */
export function watch(task: Task, timer: DataOf<'task.watch'>, atMs: number, facts: WatchFacts): Decision {
  if (task.phase !== 'running' || task.work?.runId !== timer.runId) return { do: 'nothing' };
  if (atMs < timer.dueAtMs) return { do: 'later', delayMs: timer.dueAtMs - atMs };
  const { lastProgressAtMs } = facts;
  const living = facts.living ?? {};
  const later: Decision = { do: 'later', delayMs: watchAgainMs };
  if (lastProgressAtMs !== undefined && atMs - lastProgressAtMs < watchMs) return later;
  // A run that has begun needs no router any more.
  const needed = [timer.role, ...(lastProgressAtMs === undefined ? ['router'] : []), 'inference'];
  const missing = needed.find((role) => (living[role] ?? 0) === 0);
  if (!missing) return later;
  const { waiting } = task;
  const isSaid = waiting?.role === missing && (lastProgressAtMs ?? 0) <= waiting.sinceMs;
  if (isSaid) return later;
  const mend = `./switchyard start ${missing}`;
  return {
    do: 'append',
    type: 'task.waiting',
    data: { runId: timer.runId, role: missing, mend },
    ...boundsOf(task),
  };
}

/** The watch over the current run. One that spoke is used up, and the next has a name of its own. */
export function watchOf(task: Task): Owed {
  const work = task.work!;
  const { waiting } = task;
  const dueAtMs = waiting ? waiting.sinceMs + watchAgainMs : task.startedAtMs + watchMs;
  return {
    key: `watch|${work.runId}|${waiting?.times ?? 0}`,
    to: { inbox: 'timer', purpose: 'watch' },
    type: 'task.watch',
    data: { runId: work.runId, role: work.role, dueAtMs },
  };
}
