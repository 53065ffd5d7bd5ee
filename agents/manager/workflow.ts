import type { DataOf } from '../../schemas/catalogue.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import type { Decision, Input, Owed } from '../../schemas/service.ts';
import { accept, type AcceptanceFacts } from './accept.ts';
import { concluded } from './conclusion.ts';
import { pause } from './pause.ts';
import { resume } from './resume.ts';
import type { Task } from './task.ts';

/** What the manager looks up before it decides. */
export interface ManagerFacts {
  acceptance?: AcceptanceFacts;
  /** How many live processes each role has. */
  living?: Record<string, number>;
}

const nothing: Decision = { do: 'nothing' };
const terminal = new Set<Task['phase']>(['completed', 'failed', 'cancelled', 'rejected']);

/** How long a role may have no live process before the task is said to wait. */
export const watchMs = 10_000;
const watchAgainMs = 5_000;

/** The life of a task: one input, at most one event. */
export function decide(task: Task, input: Input): Decision {
  if (task.handled.has(input.id)) return nothing;
  const facts = (input.facts ?? {}) as ManagerFacts;
  const event = input.event as Envelope;
  switch (input.type) {
    case 'task.submit':
      return task.phase === 'none' ? accept(event, facts.acceptance) : nothing;
    case 'task.cancel': {
      if (terminal.has(task.phase)) return nothing;
      // A cancel that overtakes its submit is written all the same, so that the task never starts.
      const reason = (event.data as DataOf<'task.cancel'>).reason ?? 'asked for';
      return append('task.cancelled', { reason, ...(task.work ? { runId: task.work.runId } : {}) });
    }
    case 'task.pause': {
      if (task.phase !== 'running') return nothing;
      return pause(task, 'asked', (event.data as DataOf<'task.pause'>).reason ?? 'asked for');
    }
    case 'task.resume':
    case 'task.answer':
    case 'task.approve':
      return resume(task, input);
    case 'run.concluded': {
      const run = event.data as DataOf<'run.concluded'>;
      // Only the current run's conclusion moves the task.
      if (task.phase !== 'running' || run.runId !== task.work?.runId) return nothing;
      return concluded(task, run);
    }
    case 'mesh.dead_lettered': {
      if (task.phase !== 'running') return nothing;
      const dead = event.data as DataOf<'mesh.dead_lettered'>;
      return pause(task, 'dead_letter', `a message could not be handled: ${dead.reasons.join('; ')} (${dead.retry})`);
    }
    case 'task.watch':
      return watch(task, event.data as DataOf<'task.watch'>, input.atMs, facts.living ?? {});
    case 'task.deadline': {
      const { dueAtMs } = event.data as DataOf<'task.deadline'>;
      if (task.phase !== 'running' || task.deadlineAtMs !== dueAtMs) return nothing;
      if (input.atMs < dueAtMs) return { do: 'later', delayMs: Math.min(dueAtMs - input.atMs, 60_000) };
      return pause(task, 'deadline', 'the task has had its time');
    }
    default:
      return nothing;
  }
}

function watch(task: Task, timer: DataOf<'task.watch'>, atMs: number, living: Record<string, number>): Decision {
  if (task.phase !== 'running' || task.work?.runId !== timer.runId) return nothing;
  if (atMs < timer.dueAtMs) return { do: 'later', delayMs: timer.dueAtMs - atMs };
  const missing = [timer.role, 'router', 'inference'].find((role) => (living[role] ?? 0) === 0);
  if (!missing || task.isWaiting) return { do: 'later', delayMs: watchAgainMs };
  return append('task.waiting', { runId: timer.runId, role: missing, mend: `./switchyard start ${missing}` });
}

/** What the task owes others in this state. */
export function outbox(task: Task): Owed[] {
  const { work } = task;
  if (task.stop) {
    const { runId, role, reason } = task.stop;
    return [
      {
        key: `stop|${runId}`,
        to: { inbox: 'role', role },
        type: 'run.stop',
        data: { runId, reason },
        answer: { journal: { entity: 'run', role, id: runId }, isAnsweredBy: ['run.concluded'] },
      },
    ];
  }
  if (task.phase !== 'running' || !work) return [];
  return [
    {
      key: `route|${work.runId}`,
      to: { inbox: 'role', role: 'router' },
      type: 'work.route',
      data: { work },
      answer: {
        journal: { entity: 'run', role: work.role, id: work.runId },
        isAnsweredBy: ['run.concluded'],
        home: { type: 'work.concluded', role: 'manager' },
      },
    },
    {
      key: `watch|${work.runId}`,
      to: { inbox: 'timer', purpose: 'watch' },
      type: 'task.watch',
      data: { runId: work.runId, role: work.role, dueAtMs: task.acceptedAtMs + watchMs },
    },
    {
      key: `deadline|${task.deadlineAtMs}`,
      to: { inbox: 'timer', purpose: 'deadline' },
      type: 'task.deadline',
      data: { acceptedAtMs: task.acceptedAtMs, dueAtMs: task.deadlineAtMs },
    },
  ];
}

/** True when nothing more is decided, unless a person asks. */
export const isOver = (task: Task) => task.phase !== 'running';

function append(type: DecisionType, data: Record<string, unknown>): Decision {
  return { do: 'append', type, data };
}
type DecisionType = Extract<Decision, { do: 'append' }>['type'];
