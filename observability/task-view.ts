import { branchOf } from '../schemas/branch.ts';
import type { Limits } from '../schemas/bounds.ts';
import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import { findRow } from '../schemas/catalogue.ts';
import { shortType, type Envelope } from '../schemas/envelope.ts';
import {
  addSpend,
  noSpend,
  type Finding,
  type Item,
  type Spend,
  type TestReport,
  type Work,
} from '../schemas/work.ts';
import { advanceRun, type RunView } from './run-view.ts';

/** An event with its place in the record and the time at which the stream stored it. */
export interface RecordedEvent {
  journal: string;
  sequence: number;
  event: Envelope;
  /** Milliseconds since 1970 UTC. */
  atMs: number;
}

export type TaskState =
  | 'queued'
  | 'running'
  | 'waiting'
  | 'paused'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'rejected';

/** A process died and another went on. */
export interface TakeOver {
  atMs: number;
  what: 'run' | 'call';
  role: string;
  from: string;
  to: string;
  /** From the step's declaration, or the last take-over, to this one. */
  afterMs: number;
}

/** What a person wants to know of a task; it is folded from its events and nothing else. */
export interface TaskView {
  taskId: string;
  state: TaskState;
  goal: string;
  repository?: { path: string; baseCommit: string; branch: string; uncommittedFiles: number };
  /** The branch that the work is on. */
  branch?: string;
  /** What is on that branch; absent as long as it would be the base commit, for then there is no branch. */
  commit?: string;
  test?: string;
  limits?: Limits;
  notes: string[];
  /** Nobody is there to be asked: it fails where another is paused. */
  isUnattended: boolean;
  plan: Item[];
  /** What is being done, or was done last. */
  work?: {
    runId: string;
    role: Work['role'];
    itemIndex: number;
    itemCount: number;
    hop: number;
    cyclesLeft: number;
  };
  /** Whom it was given to. */
  route?: {
    runId: string;
    role: string;
    pool: string;
    model: string;
    backend: string;
    confidence: number;
    why: string;
    fallbacks: string[];
  };
  /** What is missing; `by` says whether the router lacks a model or the manager a process of the role. */
  waiting?: { role: string; why: string; mend: string; by: 'router' | 'manager' };
  runs: Record<string, RunView>;
  /** Model calls that are open: when each was declared or taken over last. */
  openCalls: Record<string, number>;
  spend: Spend;
  /** True when any reply was written beforehand rather than by a model. */
  isScripted: boolean;
  testsBefore?: TestReport;
  testsAfter?: TestReport;
  /** The whole change as the last review saw it, a unified diff, cut openly. */
  diff?: string;
  /** Of the last review, as long as they are not mended. */
  findings: Finding[];
  /** The findings that started a review cycle, mended or not. */
  askedFor: Finding[];
  cyclesUsed: number;
  pause?: { kind: DataOf<'task.paused'>['kind']; reason: string; mend: string };
  /** Why it was rejected, failed or cancelled. */
  reasons: string[];
  /** The command by which a person has one that failed tried again. */
  mend?: string;
  takeOvers: TakeOver[];
  denials: { atMs: number; role: string; action: string; why: string }[];
  events: number;
  lastSequence: number;
  startedAtMs: number;
  lastAtMs: number;
  endedAtMs?: number;
  /** What the manager has counted; the calls' own journals may be ahead. */
  settledSpend: Spend;
  calledSpend: Spend;
}

export const emptyView: TaskView = {
  taskId: '',
  state: 'queued',
  goal: '',
  notes: [],
  isUnattended: false,
  plan: [],
  runs: {},
  openCalls: {},
  spend: noSpend,
  isScripted: false,
  findings: [],
  askedFor: [],
  cyclesUsed: 0,
  reasons: [],
  takeOvers: [],
  denials: [],
  events: 0,
  lastSequence: 0,
  startedAtMs: 0,
  lastAtMs: 0,
  settledSpend: noSpend,
  calledSpend: noSpend,
};

/** What a person wants to know of a task, from all its events in order. */
export function viewOf(events: readonly RecordedEvent[]): TaskView {
  return events.reduce(advanceView, emptyView);
}

/** The view after one more event. Neither is changed. */
export function advanceView(view: TaskView, recorded: RecordedEvent): TaskView {
  const { event, atMs } = recorded;
  const known: TaskView = {
    ...view,
    taskId: view.taskId || (event.subject ?? ''),
    events: view.events + 1,
    lastSequence: recorded.sequence,
    startedAtMs: view.startedAtMs || atMs,
    lastAtMs: atMs,
  };
  const row = findRow(shortType(event.type));
  if (row?.kind !== 'event') return known;
  switch (row.journal) {
    case 'task':
      return withSpend(advanceTask(known, row.type as EventOf<'task'>, event.data, atMs));
    case 'route':
      return advanceRoute(known, row.type as EventOf<'route'>, event.data);
    case 'run':
      return advanceRun(known, row.type as EventOf<'run'>, recorded);
    case 'call':
      return withSpend(advanceCall(known, row.type as EventOf<'call'>, event, atMs));
    case 'mesh':
      return known;
  }
}

/** How long the task has been at it; its end if it has one, else `nowMs`. */
export function elapsedMs(view: TaskView, nowMs: number): number {
  return view.startedAtMs === 0 ? 0 : Math.max(0, (view.endedAtMs ?? nowMs) - view.startedAtMs);
}

function advanceTask(view: TaskView, type: EventOf<'task'>, data: unknown, atMs: number): TaskView {
  switch (type) {
    case 'task.accepted': {
      const accepted = data as DataOf<'task.accepted'>;
      const { goal, repository, test, limits, notes, items, unattended: isUnattended = false } = accepted;
      const known = { ...view, goal, repository, limits, notes, isUnattended, plan: items };
      const begun = { ...known, ...(test ? { test } : {}) };
      return begin({ ...begun, branch: branchOf(view.taskId) }, accepted.next);
    }
    case 'task.rejected':
      return end(view, 'rejected', atMs, (data as DataOf<'task.rejected'>).reasons);
    case 'task.planned': {
      const planned = data as DataOf<'task.planned'>;
      const known = { ...settled(view, planned.spend), plan: planned.items };
      if (planned.next) return begin(known, planned.next);
      const pause = {
        kind: 'approval' as const,
        reason: 'the plan waits for approval',
        mend: `./switchyard approve ${view.taskId}`,
      };
      return { ...known, state: 'paused', pause };
    }
    case 'task.handed_over': {
      const handed = data as DataOf<'task.handed_over'>;
      const isNextItem = handed.next.itemIndex !== view.work?.itemIndex;
      const known = {
        ...settled(view, handed.spend),
        ...reached(view, handed.commit),
        ...(isNextItem ? { findings: [] } : {}),
      };
      return begin({ ...known, ...(handed.tests ? { testsAfter: handed.tests } : {}) }, handed.next);
    }
    case 'task.revision_requested': {
      const revision = data as DataOf<'task.revision_requested'>;
      const known = {
        ...settled(view, revision.spend),
        ...reached(view, revision.commit),
        findings: revision.findings,
      };
      const askedFor = [...view.askedFor, ...revision.findings];
      return begin({ ...known, askedFor, cyclesUsed: view.cyclesUsed + 1 }, revision.next);
    }
    case 'task.waiting': {
      const { role, mend } = data as DataOf<'task.waiting'>;
      // The router knows which models lack a worker; a process of the role may live and serve none of them.
      if (role === 'inference' && view.waiting?.by === 'router') return view;
      return {
        ...view,
        state: 'waiting',
        waiting: { role, why: `no live process of the role ${role}`, mend, by: 'manager' },
      };
    }
    case 'task.paused': {
      const { kind, reason, mend, findings, spend, commit } = data as DataOf<'task.paused'>;
      const known = { ...view, ...reached(view, commit), ...(findings.length > 0 ? { findings } : {}) };
      return { ...settled(known, spend), state: 'paused', waiting: undefined, pause: { kind, reason, mend } };
    }
    case 'task.resumed': {
      const resumed = data as DataOf<'task.resumed'>;
      return begin({ ...view, limits: resumed.limits }, resumed.next);
    }
    case 'task.completed': {
      const { commit, branch, tests, findings, spend } = data as DataOf<'task.completed'>;
      const known = {
        ...settled(view, spend),
        commit,
        branch,
        findings,
        ...(tests ? { testsAfter: tests } : {}),
      };
      return end(known, 'completed', atMs, []);
    }
    case 'task.failed': {
      const { reason, mend, findings = [], commit, tests, spend } = data as DataOf<'task.failed'>;
      const known = {
        ...settled(view, spend),
        ...reached(view, commit),
        ...(findings.length > 0 ? { findings } : {}),
        ...(tests ? { testsAfter: tests } : {}),
        ...(mend ? { mend } : {}),
      };
      return end(known, 'failed', atMs, [reason]);
    }
    case 'task.cancelled':
      return end(view, 'cancelled', atMs, [(data as DataOf<'task.cancelled'>).reason]);
  }
}

function advanceRoute(view: TaskView, type: EventOf<'route'>, data: unknown): TaskView {
  switch (type) {
    case 'route.decided': {
      const { runId, role, pool, model, confidence, why, choices } = data as DataOf<'route.decided'>;
      const backend = choices[0]?.backend ?? '';
      const fallbacks = choices.slice(1).map((choice) => choice.model);
      const isScripted = view.isScripted || backend === 'scripted';
      const goesOn = view.state === 'waiting' ? { state: 'running' as const, waiting: undefined } : {};
      return {
        ...view,
        ...goesOn,
        isScripted,
        route: { runId, role, pool, model, backend, confidence, why, fallbacks },
      };
    }
    case 'route.waiting': {
      const { role, why, mend } = data as DataOf<'route.waiting'>;
      if (view.state !== 'running' && view.state !== 'waiting') return view;
      return { ...view, state: 'waiting', waiting: { role, why, mend, by: 'router' } };
    }
  }
}

function advanceCall(view: TaskView, type: EventOf<'call'>, event: Envelope, atMs: number): TaskView {
  const { callId } = event.data as { callId: string };
  switch (type) {
    case 'call.intended': {
      const { backend } = event.data as DataOf<'call.intended'>;
      const openCalls = { ...view.openCalls, [callId]: atMs };
      return { ...view, openCalls, isScripted: view.isScripted || backend === 'scripted' };
    }
    case 'call.taken_over': {
      const { from, claim } = event.data as DataOf<'call.taken_over'>;
      const afterMs = atMs - (view.openCalls[callId] ?? atMs);
      const one: TakeOver = { atMs, what: 'call', role: 'inference', from, to: claim.process, afterMs };
      return {
        ...view,
        takeOvers: [...view.takeOvers, one],
        openCalls: { ...view.openCalls, [callId]: atMs },
      };
    }
    case 'call.completed': {
      const { reply, costMicroDollars } = event.data as DataOf<'call.completed'>;
      const { inputTokens, outputTokens } = reply;
      return called(view, callId, { calls: 1, inputTokens, outputTokens, costMicroDollars });
    }
    case 'call.failed':
    case 'call.cancelled': {
      const { costMicroDollars } = event.data as DataOf<'call.failed'>;
      return called(view, callId, { ...noSpend, calls: 1, costMicroDollars });
    }
  }
}

/** A branch is made by the first commit that differs from the base. */
function reached(view: TaskView, commit: string | undefined): Pick<TaskView, 'commit'> {
  return commit && commit !== view.repository?.baseCommit ? { commit } : {};
}

function called(view: TaskView, callId: string, spend: Spend): TaskView {
  const { [callId]: _, ...openCalls } = view.openCalls;
  return { ...view, openCalls, calledSpend: addSpend(view.calledSpend, spend) };
}

function settled(view: TaskView, spend: Spend): TaskView {
  return { ...view, settledSpend: addSpend(view.settledSpend, spend) };
}

/** The same calls stand in two kinds of journal; who has only one of them still gets a sum. */
function withSpend(view: TaskView): TaskView {
  const { calledSpend, settledSpend } = view;
  return { ...view, spend: calledSpend.calls >= settledSpend.calls ? calledSpend : settledSpend };
}

function begin(view: TaskView, next: Work): TaskView {
  const { runId, role, itemIndex, itemCount, hop, cyclesLeft } = next;
  const work = { runId, role, itemIndex, itemCount, hop, cyclesLeft };
  return { ...view, state: 'running', work, waiting: undefined, pause: undefined, endedAtMs: undefined };
}

function end(view: TaskView, state: TaskState, atMs: number, reasons: string[]): TaskView {
  return { ...view, state, reasons, endedAtMs: atMs, waiting: undefined, pause: undefined };
}
