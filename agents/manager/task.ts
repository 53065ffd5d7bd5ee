import type { DataOf } from '../../schemas/catalogue.ts';
import { noSpend, type Finding, type Item, type Repository, type Spend, type TestReport, type Work } from '../../schemas/work.ts';
import type { Limits } from '../../schemas/bounds.ts';
import type { Stored } from '../../schemas/service.ts';
import { addSpend } from '../../schemas/work.ts';
import { shortType } from '../../schemas/envelope.ts';
import type { EventOf } from '../../schemas/catalogue.ts';

export type TaskEventType = EventOf<'task'>;
export type PauseKind = DataOf<'task.paused'>['kind'];

/** A task as its journal says it is. */
export interface Task {
  phase: 'none' | 'running' | 'paused' | 'completed' | 'failed' | 'cancelled' | 'rejected';
  taskId: string;
  goal: string;
  goalIsTests: boolean;
  repository?: Repository;
  test?: string;
  setup?: string;
  approvePlan: boolean;
  model?: string;
  limits?: Limits;
  deadlineAtMs: number;
  acceptedAtMs: number;
  items: Item[];
  itemIndex: number;
  /** The run that may move the task; no other may. */
  work?: Work;
  /** Runs named so far; the next one's id follows from it. */
  runs: number;
  /** The last commit that a run handed over, or the base. */
  commit: string;
  /** The commit that the last review saw; the same one again is stagnation. */
  reviewedCommit?: string;
  tests?: TestReport;
  baselineKnown: boolean;
  /** Ids of the blocking findings of the last review. */
  openFindings: string[];
  advice: Finding[];
  notes: string[];
  spent: Spend;
  pause?: { kind: PauseKind; reason: string };
  isWaiting: boolean;
  /** A run that must not go on. */
  stop?: { runId: string; role: Work['role']; reason: string };
  /** Inputs that were decided on: a late copy of a pause after a resume decides nothing. */
  handled: ReadonlySet<string>;
}

export const noTask: Task = {
  phase: 'none',
  taskId: '',
  goal: '',
  goalIsTests: false,
  approvePlan: false,
  deadlineAtMs: 0,
  acceptedAtMs: 0,
  items: [],
  itemIndex: 0,
  runs: 0,
  commit: '',
  baselineKnown: false,
  openFindings: [],
  advice: [],
  notes: [],
  spent: noSpend,
  isWaiting: false,
  handled: new Set(),
};

/** Folds one event of the task's journal. */
export function evolve(task: Task, stored: Stored): Task {
  const { event } = stored;
  const given = (event.data as { given: { inputId: string; atMs: number } }).given;
  const folded = evolveByType({ ...task, taskId: event.subject ?? task.taskId }, shortType(event.type) as TaskEventType, event.data, given.atMs);
  return { ...folded, handled: new Set([...task.handled, given.inputId]) };
}

function evolveByType(task: Task, type: TaskEventType, data: unknown, atMs: number): Task {
  switch (type) {
    case 'task.accepted': {
      const accepted = data as DataOf<'task.accepted'>;
      const begun: Task = {
        ...task,
        goal: accepted.goal,
        goalIsTests: accepted.goalIsTests,
        repository: accepted.repository,
        ...(accepted.test ? { test: accepted.test } : {}),
        ...(accepted.setup ? { setup: accepted.setup } : {}),
        ...(accepted.model ? { model: accepted.model } : {}),
        approvePlan: accepted.approvePlan,
        limits: accepted.limits,
        acceptedAtMs: atMs,
        deadlineAtMs: atMs + accepted.limits.deadlineMs,
        items: accepted.items,
        itemIndex: accepted.next.itemIndex,
        commit: accepted.repository.baseCommit,
      };
      return start(begun, accepted.next);
    }
    case 'task.rejected':
      return { ...task, phase: 'rejected' };
    case 'task.planned': {
      const planned = data as DataOf<'task.planned'>;
      const known = { ...task, items: planned.items, itemIndex: 0, spent: addSpend(task.spent, planned.spend) };
      if (planned.next) return start(known, planned.next);
      return { ...known, phase: 'paused', pause: { kind: 'approval', reason: 'the plan waits for approval' } };
    }
    case 'task.handed_over': {
      const handed = data as DataOf<'task.handed_over'>;
      const moved: Task = {
        ...task,
        commit: handed.commit,
        spent: addSpend(task.spent, handed.spend),
        baselineKnown: true,
        ...(handed.tests ? { tests: handed.tests } : {}),
      };
      const isNextItem = handed.next.itemIndex !== task.itemIndex;
      const cleared = isNextItem ? { ...moved, openFindings: [], reviewedCommit: undefined } : moved;
      return start({ ...cleared, itemIndex: handed.next.itemIndex }, handed.next);
    }
    case 'task.revision_requested': {
      const revision = data as DataOf<'task.revision_requested'>;
      const isReview = revision.why === 'review';
      return start(
        {
          ...task,
          commit: revision.commit,
          baselineKnown: true,
          spent: addSpend(task.spent, revision.spend),
          ...(isReview ? { openFindings: revision.findings.map((finding) => finding.id), reviewedCommit: revision.commit } : {}),
        },
        revision.next,
      );
    }
    case 'task.waiting':
      return { ...task, isWaiting: true };
    case 'task.paused': {
      const paused = data as DataOf<'task.paused'>;
      return halted({ ...task, spent: addSpend(task.spent, paused.spend), pause: { kind: paused.kind, reason: paused.reason } }, 'paused', paused.reason);
    }
    case 'task.resumed': {
      const resumed = data as DataOf<'task.resumed'>;
      return start(
        {
          ...task,
          limits: resumed.limits,
          deadlineAtMs: atMs + resumed.limits.deadlineMs,
          openFindings: [],
          reviewedCommit: undefined,
          ...(resumed.next.model ? { model: resumed.next.model } : {}),
          notes: resumed.next.notes,
          goalIsTests: resumed.next.goalIsTests,
        },
        resumed.next,
      );
    }
    case 'task.completed': {
      const completed = data as DataOf<'task.completed'>;
      return { ...task, phase: 'completed', commit: completed.commit, spent: addSpend(task.spent, completed.spend) };
    }
    case 'task.failed': {
      const failed = data as DataOf<'task.failed'>;
      return halted({ ...task, spent: addSpend(task.spent, failed.spend) }, 'failed', failed.reason);
    }
    case 'task.cancelled': {
      const cancelled = data as DataOf<'task.cancelled'>;
      return halted(task, 'cancelled', cancelled.reason);
    }
  }
}

function start(task: Task, next: Work): Task {
  return { ...task, phase: 'running', work: next, runs: task.runs + 1, isWaiting: false, pause: undefined, stop: undefined };
}

function halted(task: Task, phase: 'paused' | 'failed' | 'cancelled', reason: string): Task {
  const stop = task.phase === 'running' && task.work ? { runId: task.work.runId, role: task.work.role, reason } : task.stop;
  return { ...task, phase, ...(stop ? { stop } : {}) };
}
