/** For tests only: the events a task has lived through, the inputs it meets, and what is then decided and owed. */
import { defaultLimits, type Limits } from '../../schemas/bounds.ts';
import { cloudEventType, rowOf, type DataOf, type TypeName } from '../../schemas/catalogue.ts';
import { deriveId, taskIdOf, type Envelope } from '../../schemas/envelope.ts';
import type { Decision, Input, Owed, Stored } from '../../schemas/service.ts';
import { dataProblems } from '../../schemas/validate.ts';
import { noSpend, type Finding, type Item, type Spend, type TestReport } from '../../schemas/work.ts';
import type { AcceptanceFacts } from './accept.ts';
import { nextWork, type NextWork } from './next.ts';
import type { Paused, PauseKind } from './pause.ts';
import { evolve, noTask, type StoppedRun, type Task } from './task.ts';
import { decide, outbox, type ManagerFacts } from './workflow.ts';

export const request = { source: '/tests', id: 'request' };
export const taskId = taskIdOf(request);
export const base = 'b'.repeat(40);
/** Commits of a task's workers. */
export const [c1, c2, c3, c4] = ['1'.repeat(40), '2'.repeat(40), '3'.repeat(40), '4'.repeat(40)];
/** When every task of the tests is accepted, milliseconds since 1970 UTC. */
export const acceptedAtMs = 1_000_000;
/** When a task within the standard bounds has had its time. */
export const deadlineAtMs = acceptedAtMs + defaultLimits.deadlineMs;

const repository = { path: '/srv/code', baseCommit: base, branch: 'main', uncommittedFiles: 0 };
export const facts: AcceptanceFacts = {
  repository,
  allowedTests: ['npm test'],
  allowedSetups: ['npm ci'],
  models: ['small'],
  limits: defaultLimits,
};

const report = (testsPass: boolean, output: string): TestReport => ({
  testsPass,
  passed: null,
  failed: null,
  exitCode: testsPass ? 0 : 1,
  output,
  restored: [],
  sandbox: 'bubblewrap',
  durationMs: 1,
});
export const green = report(true, 'all pass');
export const red = report(false, '2 fail');

export const blocking = (id: string): Finding => ({ id, severity: 'blocking', evidence: `${id} is wrong` });
export const advice = (id: string): Finding => ({
  id,
  severity: 'advice',
  evidence: `${id} could be better`,
});
export const spend = (costMicroDollars: number): Spend => ({ ...noSpend, calls: 1, costMicroDollars });
export const coderItem = (goal: string): Item => ({ role: 'coder', goal });
export const testerItem = (goal: string): Item => ({ role: 'tester', goal });

/** An event of the task's journal, told from the task as it was before. */
export type Event = (task: Task) => { type: TypeName; data: Record<string, unknown> };

/** Folds a history; the n-th event is decided n seconds after the task was accepted. */
export function fold(history: Event[]): Task {
  return history.reduce((task, event, index) => {
    const { type, data } = event(task);
    return evolve(task, stored(type, data, `given ${index}`, acceptedAtMs + index * 1000));
  }, noTask);
}

/** An event in its place in the record, with what its decision was given. */
export function stored(
  type: TypeName,
  data: Record<string, unknown>,
  inputId: string,
  atMs: number,
  looked?: unknown,
): Stored {
  const given = {
    atMs,
    inputId,
    process: 'manager.test',
    ...(looked === undefined ? {} : { facts: looked }),
    ...(data['given'] as object | undefined),
  };
  return {
    journal: `yard.event.${taskId}.task`,
    sequence: 1,
    event: envelope(type, { ...data, given }),
  };
}

export function envelope<Data>(type: TypeName, data: Data, id = deriveId('tests', type)): Envelope<Data> {
  return {
    specversion: '1.0',
    id,
    source: '/tests',
    type: cloudEventType(rowOf(type)),
    subject: taskId,
    data,
  };
}

/** The decision on a request with these words. */
export function accepted(asked: Partial<DataOf<'task.submit'>> = {}, limits: Partial<Limits> = {}): Event {
  return () => {
    const looked = { acceptance: { ...facts, limits: { ...defaultLimits, ...limits } } };
    const submit = { repository: '/srv/code', test: 'npm test', ...asked };
    const decision = decide(noTask, {
      ...inputOf('task.submit', submit, acceptedAtMs),
      event: { ...envelope('task.submit', submit), ...request },
      facts: looked,
    });
    if (decision.do !== 'append' || decision.type !== 'task.accepted')
      throw new Error(JSON.stringify(decision));
    return decision;
  };
}

export function planned(items: Item[], approvePlan = false): Event {
  return (task) => {
    const { cycles } = task.limits!;
    const first = { ...items[0]!, itemIndex: 0, hop: 0, cyclesLeft: cycles, fromCommit: task.commit };
    const next = nextWork(task, { ...first, spend: noSpend }, items.length);
    return { type: 'task.planned', data: { items, spend: noSpend, ...(approvePlan ? {} : { next }) } };
  };
}

const onward = (task: Task, more: Partial<NextWork>) => {
  const { role, itemIndex, goal, hop, cyclesLeft, fromCommit, findings } = task.work!;
  return nextWork(task, {
    role,
    itemIndex,
    goal,
    hop,
    cyclesLeft,
    fromCommit,
    findings,
    spend: noSpend,
    ...more,
  });
};

/** The worker's commit goes to the reviewer. */
export function toReviewer(commit: string, tests: TestReport = green): Event {
  return (task) => {
    const next = onward(task, {
      role: 'reviewer',
      hop: task.work!.hop + 1,
      fromCommit: commit,
      lastTests: tests,
    });
    return {
      type: 'task.handed_over',
      data: { from: task.work!.runId, commit, tests, spend: noSpend, next },
    };
  };
}

/** The reviewer asks for changes. */
export function changesAsked(...ids: string[]): Event {
  return (task) => {
    const { hop, cyclesLeft, fromCommit, runId } = task.work!;
    const findings = ids.map(blocking);
    const { role } = task.items[task.itemIndex]!;
    const next = onward(task, { role, hop: hop + 1, cyclesLeft: cyclesLeft - 1, findings });
    const data = { from: runId, why: 'review', findings, cyclesLeft: cyclesLeft - 1, commit: fromCommit };
    return { type: 'task.revision_requested', data: { ...data, spend: noSpend, next } };
  };
}

export function paused(kind: PauseKind, more: Partial<Paused> = {}): Event {
  const data = { kind, reason: 'why', mend: 'how', findings: [], spend: noSpend, ...more };
  return () => ({ type: 'task.paused', data });
}

/** A pause that stopped the current run. */
export function interrupted(kind: PauseKind): Event {
  return (task) => paused(kind, { runId: task.work!.runId })(task);
}

export function resumed(more: Partial<NextWork> = {}): Event {
  return (task) => ({ type: 'task.resumed', data: { limits: task.limits, next: onward(task, more) } });
}

/** An input, told from the task that meets it. */
export type When = (task: Task) => Input;

export function inputOf(type: string, data: unknown, atMs: number, looked?: ManagerFacts): Input {
  const event = envelope(type as TypeName, data);
  const claim = { sequence: 1, deliveries: 1, process: 'manager.test' };
  return { id: event.id, type, event, atMs, claim, ...(looked ? { facts: looked } : {}) };
}

/** Half a minute after the acceptance: later than any history here, and well before a deadline. */
export const nowMs = acceptedAtMs + 30_000;

type Ended = Partial<Omit<DataOf<'run.concluded'>, 'given'>>;

/** The current run, or the one named, ends. */
export function ends(ended: Ended = {}, atMs = nowMs): When {
  return (task) => {
    const { runId, role, fromCommit } = task.work!;
    const run = {
      runId,
      role,
      ending: 'done',
      reason: 'finished',
      commit: fromCommit,
      spend: noSpend,
      ...ended,
    };
    const journal = `yard.event.${taskId}.run.${run.role}.${run.runId}`;
    return { ...inputOf('run.concluded', run, atMs), reference: { journal, sequence: 1 } };
  };
}

/** A worker ends well. */
export const worked = (commit: string, tests = green): When =>
  ends({ commit, tests, result: { role: 'coder', summary: 'done' } });

/** The reviewer ends with a verdict. */
export function reviews(verdict: 'approve' | 'changes' | 'blocked', ...findings: Finding[]): When {
  return ends({ result: { role: 'reviewer', verdict, summary: 'so it is', findings } });
}

/** A person asks. */
export function asks(
  type: 'task.cancel' | 'task.pause' | 'task.resume' | 'task.answer' | 'task.approve',
  more: Record<string, unknown> = {},
  stopped?: StoppedRun[],
): When {
  return () => inputOf(type, { taskId, ...more }, nowMs, stopped ? { stopped } : undefined);
}

/** The timer of a deadline is due, or comes at another time. */
export function timesOut(dueAtMs = deadlineAtMs, atMs = dueAtMs): When {
  return () => inputOf('task.deadline', { acceptedAtMs, dueAtMs }, atMs);
}

/** A message of this task, or of another, was given up. */
export function deadLetter(subject = taskId): When {
  return () => {
    const dead = { reasons: ['no'], retry: './switchyard dead retry 1' };
    const input = inputOf('mesh.dead_lettered', dead, nowMs);
    return { ...input, event: { ...input.event!, subject } };
  };
}

export interface Met {
  decision: Decision;
  /** The short type of what was decided, or `later` or `nothing`. */
  type: string;
  data: Record<string, unknown>;
  /** The task afterwards. */
  task: Task;
  owes: Owed[];
}

/** Decides on an input after a history, checks the event by its row, and folds it. */
export function meet(history: Event[], when: When): Met {
  const before = fold(history);
  const input = when(before);
  const decision = decide(before, input);
  if (decision.do !== 'append') {
    return { decision, type: decision.do, data: {}, task: before, owes: outbox(before) };
  }
  const event = stored(decision.type, decision.data, input.id, input.atMs, input.facts);
  const problems = dataProblems(decision.type, event.event.data);
  if (problems.length > 0) throw new Error(`${decision.type} breaks its row: ${problems.join('; ')}`);
  const task = evolve(before, event);
  return { decision, type: decision.type, data: decision.data, task, owes: outbox(task) };
}

/** What is owed in short: the type, and for a stop which of the task's runs by its number. */
export function inShort(owes: Owed[]): string[] {
  return owes.map((owed) => {
    if (owed.type !== 'run.stop') return owed.type;
    const { runId } = owed.data as { runId: string };
    const number = Array.from({ length: 100 }, (_, index) => deriveId(taskId, 'run', index)).indexOf(runId);
    return `run.stop ${number}`;
  });
}

/** What a running task owes. */
export const going = ['work.route', 'task.watch', 'task.deadline'];
