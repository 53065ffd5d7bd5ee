import { expect, test } from 'vitest';
import type { DataOf, TypeName } from '../schemas/catalogue.ts';
import { examples, exampleEvent } from '../schemas/examples.ts';
import { noSpend } from '../schemas/work.ts';
import { elapsedMs, emptyView, viewOf, type RecordedEvent } from './task-view.ts';

const taskId = exampleEvent('task.accepted').subject!;
const { runId } = examples['route.decided'];
let sequence = 0;

function at<Name extends TypeName>(
  atMs: number,
  type: Name,
  more: Partial<DataOf<Name>> = {},
  journal = `yard.event.${taskId}.task`,
): RecordedEvent {
  sequence += 1;
  return {
    journal,
    sequence,
    atMs,
    event: { ...exampleEvent(type), data: { ...(examples[type] as object), ...more } },
  };
}

const run = (atMs: number, type: TypeName, more: object = {}): RecordedEvent =>
  at(atMs, type, more, `yard.event.${taskId}.run.coder.${runId}`);
const { tests, outcome } = {
  tests: examples['task.completed'].tests!,
  outcome: examples['run.stepped'].outcome,
};
const toolStep = examples['run.replied'].opens;

test('task view: of no events a task is queued', () => {
  expect(viewOf([])).toEqual(emptyView);
  expect(emptyView.state).toBe('queued');
});

test('task view: acceptance names goal, repository, branch, bounds and the work', () => {
  const view = viewOf([at(1000, 'task.accepted')]);
  expect(view).toMatchObject({
    taskId,
    state: 'running',
    goal: 'Back-to-back meetings do not overlap',
    branch: `switchyard/${taskId}`,
    work: { role: 'coder', itemIndex: 0, itemCount: 1, hop: 0, cyclesLeft: 2 },
    startedAtMs: 1000,
  });
});

test('task view: a route names pool, model, confidence and why', () => {
  const view = viewOf([at(1, 'task.accepted'), at(2, 'route.decided')]);
  expect(view.route).toMatchObject({
    pool: 'local',
    model: 'small-coder',
    backend: 'openai',
    confidence: 0.9,
    why: expect.stringContaining('alive'),
  });
});

test('task view: tests before any change are told from those after', () => {
  const red = { ...tests, testsPass: false, passed: 9, failed: 2, exitCode: 1 };
  const prepare = { ...toolStep, tool: 'prepare', number: 0 };
  const view = viewOf([
    at(1, 'task.accepted'),
    run(2, 'run.started', { opens: prepare }),
    run(3, 'run.stepped', { outcome: { ...outcome, tests: red }, opens: { ...toolStep, tool: 'run-tests' } }),
    run(4, 'run.concluded', { outcome: { ...outcome, tests }, tests, baseline: red }),
  ]);
  expect(view.testsBefore).toMatchObject({ passed: 9, failed: 2 });
  expect(view.testsAfter).toMatchObject({ passed: 11, failed: 0 });
});

test('task view: a crash is a take-over, with how long it took', () => {
  const view = viewOf([
    run(100, 'run.started', { opens: toolStep }),
    run(140, 'run.taken_over'),
    at(200, 'call.intended'),
    at(260, 'call.taken_over'),
  ]);
  expect(view.takeOvers).toMatchObject([
    { what: 'run', from: 'coder.5f2a9c31', to: 'coder.b81d07ee', afterMs: 40 },
    { what: 'call', from: 'inference.90aa12fd', afterMs: 60 },
  ]);
});

test('task view: a denial is kept with what was tried', () => {
  const view = viewOf([
    run(1, 'run.started', { opens: toolStep }),
    run(2, 'run.stepped', { outcome: { status: 'denied', output: 'not there' } }),
  ]);
  expect(view.denials).toMatchObject([{ action: 'edit-file slots.js', why: 'not there' }]);
});

test('task view: money is counted once, from whichever journals are there', () => {
  const spend = { calls: 1, inputTokens: 920, outputTokens: 106, costMicroDollars: 2050 };
  const both = viewOf([at(1, 'task.accepted'), at(2, 'call.completed'), at(3, 'task.completed', { spend })]);
  expect(both.spend).toEqual(spend);
  const onlyManager = viewOf([at(1, 'task.accepted'), at(3, 'task.completed', { spend })]);
  expect(onlyManager.spend).toEqual(spend);
  const ahead = viewOf([
    at(1, 'task.accepted'),
    at(2, 'call.completed'),
    at(2, 'call.failed', { costMicroDollars: 5 }),
  ]);
  expect(ahead.spend).toMatchObject({ calls: 2, costMicroDollars: 2055 });
});

test('task view: a pause says why, and resuming takes it away', () => {
  const events = [at(1, 'task.accepted'), at(2, 'task.paused', { spend: noSpend })];
  expect(viewOf(events)).toMatchObject({
    state: 'paused',
    pause: { kind: 'review', mend: expect.stringContaining('resume') },
    findings: [{ id: 'mutates-argument' }],
  });
  const resumed = viewOf([...events, at(3, 'task.resumed')]);
  expect(resumed.state).toBe('running');
  expect(resumed.pause).toBeUndefined();
  expect(resumed.limits?.cycles).toBe(3);
});

test('task view: there is no branch to speak of until a commit differs from the base', () => {
  const { baseCommit } = examples['task.accepted'].repository;
  const paused = (commit: string | undefined) =>
    viewOf([at(1, 'task.accepted'), at(2, 'task.paused', { commit })]).commit;
  expect(paused(baseCommit)).toBeUndefined();
  expect(paused(undefined)).toBeUndefined();
  expect(paused('c'.repeat(40))).toBe('c'.repeat(40));
  const { next } = examples['task.handed_over'];
  const handed = viewOf([at(1, 'task.accepted'), at(2, 'task.handed_over', { commit: baseCommit, next })]);
  expect(handed.commit).toBeUndefined();
});

test('task view: a model that no live pool serves is what a task waits for, not a role that lives', () => {
  const routing = at(2, 'route.waiting', { why: 'small: its pool has no live worker' });
  const inference = at(3, 'task.waiting', { role: 'inference', mend: './switchyard start inference' });
  for (const order of [
    [routing, inference],
    [inference, routing],
  ]) {
    const { waiting, state } = viewOf([at(1, 'task.accepted'), ...order]);
    expect(state).toBe('waiting');
    expect(waiting).toMatchObject({ why: 'small: its pool has no live worker' });
  }
  const router = at(4, 'task.waiting', { role: 'router' });
  expect(viewOf([at(1, 'task.accepted'), routing, router]).waiting).toMatchObject({ role: 'router' });
});

test('task view: a plan without its next work waits for approval', () => {
  const view = viewOf([at(1, 'task.accepted'), at(2, 'task.planned', { next: undefined })]);
  expect(view).toMatchObject({
    state: 'paused',
    pause: { kind: 'approval', mend: `./switchyard approve ${taskId}` },
  });
});

test('task view: waiting for a role ends when work begins', () => {
  const waiting = [at(1, 'task.accepted'), at(2, 'task.waiting')];
  expect(viewOf(waiting)).toMatchObject({
    state: 'waiting',
    waiting: { role: 'coder', mend: './switchyard start coder' },
  });
  expect(viewOf([...waiting, run(3, 'run.started')])).toMatchObject({ state: 'running', waiting: undefined });
});

test.each([
  ['task.completed', 'completed', []],
  ['task.failed', 'failed', [examples['task.failed'].reason]],
  ['task.cancelled', 'cancelled', ['no longer wanted']],
  ['task.rejected', 'rejected', examples['task.rejected'].reasons],
] as const)('task view: %s ends it, and the clock stops', (type, state, reasons) => {
  const view = viewOf([at(1000, 'task.accepted'), at(4000, type)]);
  expect(view).toMatchObject({ state, reasons });
  expect(elapsedMs(view, 9_000_000)).toBe(3000);
});

test('task view: one that failed says what it reached and how it is tried again', () => {
  const { mend, commit, tests: failing } = examples['task.failed'];
  const findings = examples['task.paused'].findings;
  const begun = at(1, 'task.accepted', { unattended: true });
  expect(viewOf([begun])).toMatchObject({ state: 'running', isUnattended: true });
  const view = viewOf([begun, at(2, 'task.failed', { findings })]);
  expect(view).toMatchObject({ mend, commit, testsAfter: failing, findings, isUnattended: true });
  // As the first of them were written.
  const { given, reason, spend } = examples['task.failed'];
  const bare = at(2, 'task.failed');
  const before = viewOf([begun, { ...bare, event: { ...bare.event, data: { given, reason, spend } } }]);
  expect(before).toMatchObject({ state: 'failed', reasons: [reason] });
});

test('task view: the change as the last review saw it is kept', () => {
  const prepare = { ...toolStep, tool: 'prepare', number: 0 };
  const view = viewOf([
    run(1, 'run.started', { opens: prepare }),
    run(2, 'run.stepped', { outcome: { ...outcome, diff: '+one' } }),
  ]);
  expect(view.diff).toBe('+one');
  const step = viewOf([
    run(1, 'run.started', { opens: toolStep }),
    run(2, 'run.stepped', { outcome: { ...outcome, diff: '+one' } }),
  ]);
  expect(step.diff).toBeUndefined();
});
