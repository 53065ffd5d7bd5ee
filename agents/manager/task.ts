import type { Limits } from '../../schemas/bounds.ts';
import type { DataOf, EventOf } from '../../schemas/catalogue.ts';
import { shortType } from '../../schemas/envelope.ts';
import type { Stored } from '../../schemas/service.ts';
import { addSpend, noSpend } from '../../schemas/work.ts';
import type { Finding, Item, Repository, Spend, TestReport, Work } from '../../schemas/work.ts';
import { mendOf, type Pause, type Paused } from './pause.ts';

export type TaskEventType = EventOf<'task'>;
/** A run that was abandoned before it concluded. */
export interface Stop {
  runId: string;
  role: Work['role'];
  reason: string;
}

/** What the journal of an abandoned run says, looked up when its task is resumed. */
export interface StoppedRun {
  runId: string;
  hasEnded: boolean;
  /** Its last journaled commit; empty when it never began. */
  commit: string;
  spend: Spend;
}

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
  /** Nobody is there to be asked: it fails where another is paused. */
  isUnattended: boolean;
  model?: string;
  /** The bounds in force; those of hops and cycles are of the item at hand. */
  limits?: Limits;
  /** What each work item begins with: what a person adds is for the item that ran out. */
  itemBounds: Pick<Limits, 'hops' | 'cycles'>;
  acceptedAtMs: number;
  deadlineAtMs: number;
  items: Item[];
  itemIndex: number;
  /** The run that may move the task; no other may. */
  work?: Work;
  /** When that run was named. */
  startedAtMs: number;
  /** Runs named so far; the next one's id follows from it. */
  runs: number;
  /** The last commit that a run handed over, or the base. */
  commit: string;
  /** The commit that the last review saw; the same one again is stagnation. */
  reviewedCommit?: string;
  tests?: TestReport;
  baselineKnown: boolean;
  /** Ids of all blocking findings that the item's worker was told; one that comes back is stagnation. */
  toldFindings: string[];
  notes: string[];
  spent: Spend;
  pause?: Pause;
  /** The role that the current run was last said to wait for. */
  waiting?: { role: string; sinceMs: number; times: number };
  /** Abandoned runs, each to be stopped until it is known to have ended. */
  stops: Stop[];
  /** Inputs that were decided on: a late copy of a pause after a resume decides nothing. */
  handled: ReadonlySet<string>;
}

export const noTask: Task = {
  phase: 'none',
  taskId: '',
  goal: '',
  goalIsTests: false,
  approvePlan: false,
  isUnattended: false,
  itemBounds: { hops: 0, cycles: 0 },
  acceptedAtMs: 0,
  deadlineAtMs: 0,
  items: [],
  itemIndex: 0,
  startedAtMs: 0,
  runs: 0,
  commit: '',
  baselineKnown: false,
  toldFindings: [],
  notes: [],
  spent: noSpend,
  stops: [],
  handled: new Set(),
};

interface Given {
  inputId: string;
  atMs: number;
  facts?: { stopped?: StoppedRun[] };
}

/** Folds one event of the task's journal. */
export function evolve(task: Task, stored: Stored): Task {
  const { event } = stored;
  const { given } = event.data as { given: Given };
  const named = { ...task, taskId: event.subject ?? task.taskId };
  const folded = evolveByType(named, shortType(event.type) as TaskEventType, event.data, given);
  return { ...folded, handled: new Set([...task.handled, given.inputId]) };
}

function evolveByType(task: Task, type: TaskEventType, data: unknown, given: Given): Task {
  const { atMs } = given;
  switch (type) {
    case 'task.accepted': {
      const accepted = data as DataOf<'task.accepted'>;
      const { hops, cycles } = accepted.limits;
      const begun: Task = {
        ...task,
        goal: accepted.goal,
        goalIsTests: accepted.goalIsTests,
        repository: accepted.repository,
        ...(accepted.test ? { test: accepted.test } : {}),
        ...(accepted.setup ? { setup: accepted.setup } : {}),
        ...(accepted.model ? { model: accepted.model } : {}),
        approvePlan: accepted.approvePlan,
        isUnattended: accepted.unattended ?? false,
        itemBounds: { hops, cycles },
        acceptedAtMs: atMs,
        items: accepted.items,
      };
      return start(begun, accepted.next, atMs);
    }
    case 'task.rejected':
      return { ...task, phase: 'rejected' };
    case 'task.planned': {
      const planned = data as DataOf<'task.planned'>;
      const known = { ...task, items: planned.items, spent: addSpend(task.spent, planned.spend) };
      if (planned.next) return start(known, planned.next, atMs);
      const mend = mendOf(task.taskId, 'approval', {});
      const reason = 'the plan waits for approval';
      return {
        ...known,
        phase: 'paused',
        pause: { kind: 'approval', reason, mend, sinceMs: atMs, findings: [] },
      };
    }
    case 'task.handed_over': {
      const handed = data as DataOf<'task.handed_over'>;
      const tests = handed.tests ? { tests: handed.tests } : {};
      return start({ ...task, ...tests, baselineKnown: true }, handed.next, atMs);
    }
    case 'task.revision_requested': {
      const revision = data as DataOf<'task.revision_requested'>;
      const isReview = revision.why === 'review';
      const known = { ...task, baselineKnown: true };
      if (!isReview) return start(known, revision.next, atMs);
      const told = { toldFindings: withIdsOf(task, revision.findings), reviewedCommit: revision.commit };
      return start({ ...known, ...told }, revision.next, atMs);
    }
    case 'task.waiting': {
      const { role } = data as DataOf<'task.waiting'>;
      return { ...task, waiting: { role, sinceMs: atMs, times: (task.waiting?.times ?? 0) + 1 } };
    }
    case 'task.paused': {
      const paused = data as Paused;
      const pause: Pause = {
        kind: paused.kind,
        reason: paused.reason,
        mend: paused.mend,
        // A resume that was refused does not make the pause begin anew.
        sinceMs: task.pause?.sinceMs ?? atMs,
        findings: paused.findings,
        ...(paused.commit ? { commit: paused.commit } : {}),
        ...(paused.next ? { next: paused.next } : {}),
      };
      const halted: Task = { ...task, phase: 'paused', pause, spent: addSpend(task.spent, paused.spend) };
      return paused.runId ? stopped(halted, paused.reason) : halted;
    }
    case 'task.resumed': {
      const resumed = data as DataOf<'task.resumed'>;
      const { next } = resumed;
      const ended = (given.facts?.stopped ?? []).filter((run) => run.hasEnded).map((run) => run.runId);
      const known: Task = {
        ...task,
        // A person has looked at what stood still: the next review sees it with their word.
        ...(task.pause?.kind === 'review' ? { reviewedCommit: undefined, tests: undefined } : {}),
        ...(next.role === 'reviewer' ? {} : { toldFindings: withIdsOf(task, task.pause?.findings ?? []) }),
        ...(next.model ? { model: next.model } : {}),
        ...(next.lastTests ? { tests: next.lastTests } : {}),
        notes: next.notes,
        goalIsTests: next.goalIsTests,
        baselineKnown: next.baselineKnown,
        stops: task.stops.filter((stop) => !ended.includes(stop.runId)),
      };
      return start(known, next, atMs);
    }
    case 'task.completed': {
      const completed = data as DataOf<'task.completed'>;
      const spent = addSpend(task.spent, completed.spend);
      return { ...task, phase: 'completed', commit: completed.commit, spent };
    }
    case 'task.failed': {
      const failed = data as DataOf<'task.failed'>;
      const spent = addSpend(task.spent, failed.spend);
      return { ...(failed.runId ? stopped(task, failed.reason) : task), phase: 'failed', spent };
    }
    case 'task.cancelled': {
      const { reason, runId } = data as DataOf<'task.cancelled'>;
      return { ...(runId ? stopped(task, reason) : task), phase: 'cancelled' };
    }
  }
}

/** The next run is named, and with it all that it starts from: its item, commit, bounds and what was spent. */
function start(task: Task, next: Work, atMs: number): Task {
  const isNextItem = next.itemIndex !== task.itemIndex;
  return {
    ...task,
    ...(isNextItem ? { toldFindings: [], reviewedCommit: undefined } : {}),
    phase: 'running',
    work: next,
    startedAtMs: atMs,
    runs: task.runs + 1,
    itemIndex: next.itemIndex,
    commit: next.fromCommit,
    limits: next.limits,
    deadlineAtMs: task.acceptedAtMs + next.limits.deadlineMs,
    spent: next.spent,
    waiting: undefined,
    pause: undefined,
  };
}

/** Adds the current run to those that must not go on; one stays there until its journal is seen to have ended. */
function stopped(task: Task, reason: string): Task {
  const { work } = task;
  if (!work || task.stops.some((stop) => stop.runId === work.runId)) return task;
  return { ...task, stops: [...task.stops, { runId: work.runId, role: work.role, reason }] };
}

/** Only blocking findings are asked to be changed. */
function withIdsOf(task: Task, findings: Finding[]): string[] {
  const blocking = findings.filter((finding) => finding.severity === 'blocking');
  return [...new Set([...task.toldFindings, ...blocking.map((finding) => finding.id)])];
}
