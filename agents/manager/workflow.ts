import type { DataOf } from '../../schemas/catalogue.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import type { Decision, Input, Owed } from '../../schemas/service.ts';
import { accept, type AcceptanceFacts } from './accept.ts';
import { concluded } from './conclusion.ts';
import { boundsOf, interrupt } from './pause.ts';
import { resume, type ResumeFacts } from './resume.ts';
import type { Stop, Task } from './task.ts';
import { watch, watchOf, type WatchFacts } from './watch.ts';

/** What the manager looks up before it decides. */
export interface ManagerFacts extends WatchFacts, ResumeFacts {
  acceptance?: AcceptanceFacts;
}

const nothing: Decision = { do: 'nothing' };
const terminal = new Set<Task['phase']>(['completed', 'failed', 'cancelled', 'rejected']);

/** The life of a task: one input, at most one event. */
export function decide(task: Task, input: Input): Decision {
  if (task.handled.has(input.id)) return nothing;
  const facts = (input.facts ?? {}) as ManagerFacts;
  const event = input.event as Envelope;
  switch (input.type) {
    case 'task.submit':
      return task.phase === 'none' ? accept(event, facts.acceptance) : nothing;
    case 'task.cancel':
      return terminal.has(task.phase) ? nothing : cancelled(task, event.data as DataOf<'task.cancel'>);
    case 'task.pause': {
      // Nobody would let it go on; who is there after all may cancel it.
      if (task.phase !== 'running' || task.isUnattended) return nothing;
      return interrupt(task, 'asked', (event.data as DataOf<'task.pause'>).reason ?? 'asked for');
    }
    case 'task.resume':
    case 'task.answer':
    case 'task.approve':
      return resume(task, input, facts);
    case 'run.concluded':
      if (!isOfCurrentRun(task, input)) return nothing;
      return concluded(task, event.data as DataOf<'run.concluded'>, input.atMs);
    case 'mesh.dead_lettered': {
      if (task.phase !== 'running' || event.subject !== task.taskId) return nothing;
      const dead = event.data as DataOf<'mesh.dead_lettered'>;
      // A task that ends here is not helped by the message.
      const retry = task.isUnattended ? '' : ` (${dead.retry})`;
      const reason = `a message could not be handled: ${dead.reasons.join('; ')}${retry}`;
      return interrupt(task, 'dead_letter', reason);
    }
    case 'task.watch':
      return watch(task, event.data as DataOf<'task.watch'>, input.atMs, facts);
    case 'task.deadline': {
      // A timer of a deadline that was moved is of no account.
      const { dueAtMs } = event.data as DataOf<'task.deadline'>;
      if (task.phase !== 'running' || task.deadlineAtMs !== dueAtMs) return nothing;
      if (input.atMs < dueAtMs) return { do: 'later', delayMs: Math.min(dueAtMs - input.atMs, 60_000) };
      return interrupt(task, 'deadline', 'the task has had its time', { deadline: '1h' });
    }
    default:
      return nothing;
  }
}

/** Only the current run's conclusion moves the task, read from that run's own journal: others might name its id. */
function isOfCurrentRun(task: Task, input: Input): boolean {
  const { work } = task;
  if (task.phase !== 'running' || !work) return false;
  const run = input.event!.data as DataOf<'run.concluded'>;
  const journal = `.event.${task.taskId}.run.${work.role}.${work.runId}`;
  return run.runId === work.runId && (input.reference?.journal.endsWith(journal) ?? false);
}

/** A cancel that overtakes its submit is written all the same, so that the task never starts. */
function cancelled(task: Task, asked: DataOf<'task.cancel'>): Decision {
  const runId = task.phase === 'running' ? { runId: task.work!.runId } : {};
  const data = { reason: asked.reason ?? 'asked for', ...runId };
  return { do: 'append', type: 'task.cancelled', data, ...boundsOf(task) };
}

/** What the task owes others in this state: every abandoned run its stop, and the current one its route and timers. */
export function outbox(task: Task): Owed[] {
  const stops = task.stops.map(stopOf);
  const { work } = task;
  if (task.phase !== 'running' || !work) return stops;
  const route: Owed = {
    key: `route|${work.runId}`,
    to: { inbox: 'role', role: 'router' },
    type: 'work.route',
    data: { work },
    answer: {
      journal: { entity: 'run', role: work.role, id: work.runId },
      isAnsweredBy: ['run.concluded'],
      home: { type: 'work.concluded', role: 'manager' },
    },
  };
  const deadline: Owed = {
    key: `deadline|${task.deadlineAtMs}`,
    to: { inbox: 'timer', purpose: 'deadline' },
    type: 'task.deadline',
    data: { acceptedAtMs: task.acceptedAtMs, dueAtMs: task.deadlineAtMs },
  };
  return [...stops, route, watchOf(task), deadline];
}

function stopOf({ runId, role, reason }: Stop): Owed {
  return {
    key: `stop|${runId}`,
    to: { inbox: 'role', role },
    type: 'run.stop',
    data: { runId, reason },
    answer: { journal: { entity: 'run', role, id: runId }, isAnsweredBy: ['run.concluded'] },
  };
}

/** True when nothing more can be decided, not even if a person asks: a paused task may be resumed. */
export const isOver = (task: Task) => terminal.has(task.phase);
