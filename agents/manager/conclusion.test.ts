import { expect, test } from 'vitest';
import type { TestReport } from '../../schemas/work.ts';
import {
  accepted,
  acceptedAtMs,
  base,
  blocking,
  c1,
  c2,
  changesAsked,
  coderItem,
  ends,
  going,
  green,
  inShort,
  meet,
  planned,
  red,
  reviews,
  spend,
  taskId,
  testerItem,
  toReviewer,
  worked,
  type Event,
  type When,
} from './given.ts';

const revising = [accepted(), toReviewer(c1), changesAsked('F1')];
const resume = `./switchyard resume ${taskId}`;

interface Row {
  it: string;
  given: Event[];
  when: When;
  then: string;
  data: Record<string, unknown>;
}

test.each<Row>([
  {
    it: 'good work goes to the reviewer, which is a hop',
    given: [accepted()],
    when: worked(c1),
    then: 'task.handed_over',
    data: {
      commit: c1,
      tests: green,
      next: {
        role: 'reviewer',
        hop: 1,
        cyclesLeft: 2,
        fromCommit: c1,
        lastTests: green,
        baselineKnown: true,
      },
    },
  },
  {
    it: 'the work of a tester does too',
    given: [accepted({ goal: 'x' }), planned([testerItem('t')])],
    when: worked(c1),
    then: 'task.handed_over',
    data: { next: { role: 'reviewer', hop: 1 } },
  },
  {
    it: 'the reviewer is told what was asked for',
    given: revising,
    when: worked(c2),
    then: 'task.handed_over',
    data: { next: { hop: 3, findings: [{ id: 'F1' }] } },
  },
  {
    it: 'a task without tests is reviewed all the same',
    given: [accepted({ test: undefined, goal: 'x', plan: 'single' })],
    when: ends({ commit: c1 }),
    then: 'task.handed_over',
    data: { commit: c1 },
  },
  {
    it: 'work without the test run that was asked for is not believed',
    given: [accepted()],
    when: ends({ commit: c1 }),
    then: 'task.paused',
    data: { kind: 'failure', reason: 'the coder ended without a test run', commit: c1 },
  },
  {
    it: 'work that changed nothing is no success',
    given: [accepted()],
    when: worked(base),
    then: 'task.paused',
    data: { kind: 'failure', reason: 'the coder ended without changing anything' },
  },
  {
    it: 'the commit that was reviewed is not reviewed again',
    given: revising,
    when: worked(c1),
    then: 'task.paused',
    data: { kind: 'review', findings: [{ id: 'F1' }], commit: c1 },
  },
  {
    it: 'no hop for the review pauses, and keeps what comes next',
    given: [accepted({}, { hops: 0 })],
    when: worked(c1),
    then: 'task.paused',
    data: { kind: 'bound', mend: `${resume} --hops 1`, commit: c1, next: { role: 'reviewer', hop: 1 } },
  },
  {
    it: 'tests that pass already are a question',
    given: [accepted()],
    when: ends({ ending: 'green_already', reason: 'the tests pass already' }),
    then: 'task.paused',
    data: { kind: 'question', mend: `./switchyard answer ${taskId} "..."` },
  },
  {
    it: 'steps that ran out are a bound, and the commit is kept',
    given: [accepted()],
    when: ends({ ending: 'steps', reason: '60 steps', commit: c1 }),
    then: 'task.paused',
    data: { kind: 'bound', mend: `${resume} --steps 20`, commit: c1 },
  },
  {
    it: 'a budget that would not do says so',
    given: [accepted()],
    when: ends({ ending: 'budget', spend: spend(4_999_999) }),
    then: 'task.paused',
    data: { kind: 'budget', mend: `${resume} --budget 1.00` },
  },
  {
    it: 'a model that is down may be asked again',
    given: [accepted()],
    when: ends({ ending: 'model', reason: 'down' }),
    then: 'task.paused',
    data: { kind: 'model', reason: 'down', mend: resume },
  },
  {
    it: 'what cannot be known is shown to a person',
    given: [accepted()],
    when: ends({ ending: 'indeterminate' }),
    then: 'task.paused',
    data: { kind: 'indeterminate', mend: `./switchyard approve ${taskId}` },
  },
  {
    it: 'a run that broke pauses',
    given: [accepted()],
    when: ends({ ending: 'schema', reason: 'no JSON' }),
    then: 'task.paused',
    data: { kind: 'failure', reason: 'no JSON', mend: resume },
  },
  {
    it: 'a run that never began leaves no commit behind',
    given: [accepted()],
    when: ends({ ending: 'stopped', commit: '' }),
    then: 'task.paused',
    data: { kind: 'failure' },
  },
  {
    it: 'a budget that is used up stops before the review, and keeps it',
    given: [accepted()],
    when: ends({ commit: c1, tests: green, spend: spend(6_500_000) }),
    then: 'task.paused',
    data: {
      kind: 'budget',
      mend: `${resume} --budget 2.50`,
      next: { role: 'reviewer', hop: 1, fromCommit: c1 },
    },
  },
  {
    it: 'a budget that is used up stops before the changes, and keeps the findings',
    given: [accepted(), toReviewer(c1)],
    when: ends({
      spend: spend(5_000_000),
      result: { role: 'reviewer', verdict: 'changes', summary: '', findings: [blocking('F1')] },
    }),
    then: 'task.paused',
    data: { kind: 'budget', findings: [{ id: 'F1' }], commit: c1 },
  },
  {
    it: 'a budget of nothing lets free models work',
    given: [accepted({}, { budgetMicroDollars: 0 })],
    when: worked(c1),
    then: 'task.handed_over',
    data: {},
  },
  {
    it: 'a deadline that has passed stops before the next run',
    given: [accepted()],
    when: ends({ commit: c1, tests: green }, acceptedAtMs + 3_600_000),
    then: 'task.paused',
    data: { kind: 'deadline', mend: `${resume} --deadline 1h`, next: { role: 'reviewer' } },
  },
])('conclusion: $it', ({ given, when, then, data }) => {
  const met = meet(given, when);
  expect(met.type).toBe(then);
  expect(met.data).toMatchObject(data);
  // The run ended by itself: nothing is left to be stopped.
  expect(met.data).not.toHaveProperty('runId');
  expect(inShort(met.owes)).toEqual(then === 'task.handed_over' ? going : []);
});

test('conclusion: the last review completes a task that has just used up its budget and its time', () => {
  const history = [accepted(), toReviewer(c1)];
  const met = meet(history, (task) => {
    const input = reviews('approve')(task);
    const data = { ...(input.event!.data as object), spend: spend(9_000_000) };
    return { ...input, atMs: acceptedAtMs + 9_000_000, event: { ...input.event!, data } };
  });
  expect(met.type).toBe('task.completed');
  expect(met.task.spent.costMicroDollars).toBe(9_000_000);
});

test('conclusion: what a run cost is passed on to the next and counted once', () => {
  const met = meet([accepted()], ends({ commit: c1, tests: green, spend: spend(700) }));
  expect(met.task.spent).toEqual(spend(700));
  expect(met.task.work!.spent).toEqual(spend(700));
});

test.each<Row>([
  {
    it: 'cost a cycle and no hop',
    given: [accepted()],
    when: ends({ ending: 'red', commit: c1, tests: red }),
    then: 'task.revision_requested',
    data: {
      why: 'red tests',
      cyclesLeft: 1,
      findings: [{ id: 'tests-fail', evidence: '2 fail' }],
      next: { role: 'coder', hop: 0, cyclesLeft: 1, fromCommit: c1 },
    },
  },
  {
    it: 'override what the agent says',
    given: [accepted()],
    when: worked(c1, red),
    then: 'task.revision_requested',
    data: { why: 'red tests' },
  },
  {
    it: 'do not make the findings of the review forgotten',
    given: revising,
    when: worked(c2, red),
    then: 'task.revision_requested',
    data: {
      cyclesLeft: 0,
      findings: [{ id: 'tests-fail' }, { id: 'F1' }],
      next: { findings: [{ id: 'tests-fail' }, { id: 'F1' }] },
    },
  },
  {
    it: 'pause when no cycle is left',
    given: [accepted({}, { cycles: 0 })],
    when: worked(c1, red),
    then: 'task.paused',
    data: { kind: 'bound', mend: `${resume} --cycles 1`, commit: c1, findings: [{ id: 'tests-fail' }] },
  },
  {
    it: 'pause when the commit that was reviewed is now red',
    given: revising,
    when: worked(c1, red),
    then: 'task.paused',
    data: { kind: 'review' },
  },
  {
    it: 'of a tester are for the coder after it to mend',
    given: [accepted({ goal: 'x' }), planned([testerItem('t'), coderItem('c')])],
    when: ends({ ending: 'red', commit: c1, tests: red }),
    then: 'task.handed_over',
    data: { next: { role: 'reviewer', lastTests: red } },
  },
  {
    it: 'of a tester with no coder after it cost a cycle',
    given: [
      accepted({ goal: 'x' }),
      planned([coderItem('c'), testerItem('t')]),
      toReviewer(c1),
      () => meetApproval(),
    ],
    when: worked(c2, red),
    then: 'task.revision_requested',
    data: { next: { role: 'tester', cyclesLeft: 1 } },
  },
])('red tests: $it', ({ given, when, then, data }) => {
  const met = meet(given, when);
  expect(met.type).toBe(then);
  expect(met.data).toMatchObject(data);
});

/** The hand-over from the first item to the second. */
function meetApproval() {
  const history = [accepted({ goal: 'x' }), planned([coderItem('c'), testerItem('t')]), toReviewer(c1)];
  return { type: 'task.handed_over' as const, data: meet(history, reviews('approve')).data };
}

test('red tests: the same red commit twice is stagnation', () => {
  const first = meet([accepted()], worked(c1, red));
  const history: Event[] = [accepted(), () => ({ type: 'task.revision_requested', data: first.data })];
  const second = meet(history, worked(c1, red));
  expect(second.type).toBe('task.paused');
  expect(second.data).toMatchObject({ kind: 'review', commit: c1, findings: [{ id: 'tests-fail' }] });
  expect(meet(history, worked(c2, red)).type).toBe('task.revision_requested');
});

const counted = (passed: number | null): TestReport => ({
  ...green,
  passed,
  failed: passed === null ? null : 0,
});

test.each([
  {
    it: 'fewer than the baseline',
    before: { ...red, passed: 9, failed: 2 },
    now: counted(3),
    then: 'task.paused',
  },
  {
    it: 'none counted any more',
    before: { ...red, passed: 9, failed: 2 },
    now: counted(null),
    then: 'task.paused',
  },
  { it: 'as many', before: { ...red, passed: 9, failed: 2 }, now: counted(11), then: 'task.handed_over' },
  { it: 'nobody ever counted', before: red, now: counted(null), then: 'task.handed_over' },
])('green tests: $it', ({ before, now, then }) => {
  const done = ends({ commit: c1, baseline: before, tests: now, result: { role: 'coder', summary: 'done' } });
  const met = meet([accepted()], done);
  expect(met.type).toBe(then);
  if (then === 'task.paused') expect(met.data).toMatchObject({ kind: 'review' });
});
