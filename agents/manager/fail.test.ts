import { expect, test } from 'vitest';
import {
  accepted,
  acceptedAtMs,
  asks,
  base,
  blocking,
  c1,
  c2,
  changesAsked,
  coderItem,
  deadLetter,
  ends,
  going,
  green,
  inputOf,
  inShort,
  meet,
  nowMs,
  planned,
  red,
  reviews,
  spend,
  taskId,
  timesOut,
  toReviewer,
  worked,
  type Event,
  type When,
} from './given.ts';

const unattended = accepted({ unattended: true });
const branch = `switchyard/${taskId}`;

interface Row {
  it: string;
  given: Event[];
  when: When;
  data: Record<string, unknown>;
  /** Where a run goes on that nobody needs any more. */
  owes?: string[];
}

test.each<Row>([
  {
    it: 'a question that nobody can answer',
    given: [unattended],
    when: ends({ ending: 'green_already', reason: 'the tests pass already', tests: green }),
    data: { kind: 'question', tests: green },
  },
  {
    it: 'a model that no resume brings back',
    given: [unattended],
    when: ends({ ending: 'model', reason: 'no model answers', spend: spend(5) }),
    data: { kind: 'model', reason: 'no model answers', spend: { costMicroDollars: 5 } },
  },
  {
    it: 'an effect of which nobody knows whether it happened',
    given: [unattended],
    when: ends({ ending: 'indeterminate', commit: c1 }),
    data: { kind: 'indeterminate', commit: c1, branch },
  },
  {
    it: 'steps that ran out',
    given: [unattended],
    when: ends({ ending: 'steps', commit: c1, tests: red }),
    data: { kind: 'bound', commit: c1, branch, tests: red },
  },
  {
    it: 'red tests without a cycle',
    given: [accepted({ unattended: true }, { cycles: 0 })],
    when: worked(c1, red),
    data: { kind: 'bound', commit: c1, tests: red, findings: [{ id: 'tests-fail' }] },
  },
  {
    it: 'a budget that is used up between two runs',
    given: [accepted({ unattended: true, limits: { budgetMicroDollars: 10 } })],
    when: ends({ commit: c1, tests: green, spend: spend(11) }),
    data: { kind: 'budget', commit: c1, tests: green, spend: { costMicroDollars: 11 } },
  },
  {
    it: 'a finding that came back, with what the reviewer saw',
    given: [unattended, toReviewer(c1), changesAsked('F1'), toReviewer(c2)],
    when: reviews('changes', blocking('F1')),
    data: { kind: 'review', commit: c2, tests: green, findings: [{ id: 'F1' }] },
  },
  {
    it: 'a reviewer that broke keeps the commit that it was given',
    given: [unattended, toReviewer(c1)],
    when: ends({ ending: 'failed', reason: 'it broke' }),
    data: { kind: 'failure', reason: 'it broke', commit: c1, branch, tests: green },
  },
  {
    it: 'the deadline, and stops the run',
    given: [unattended, toReviewer(c1)],
    when: timesOut(),
    data: { kind: 'deadline', commit: c1, branch },
    owes: ['run.stop 1'],
  },
  {
    it: 'a dead letter, which is no way on from here, and stops the run',
    given: [unattended],
    when: deadLetter(),
    data: { kind: 'dead_letter', reason: 'a message could not be handled: no' },
    owes: ['run.stop 0'],
  },
])('unattended: ends failed on $it', ({ given, when, data, owes = [] }) => {
  const met = meet(given, when);
  expect(met.type).toBe('task.failed');
  expect(met.data).toMatchObject(data);
  expect(met.task.phase).toBe('failed');
  expect(inShort(met.owes)).toEqual(owes);
});

test('unattended: there is no branch to speak of before the first commit', () => {
  const { data } = meet([unattended], ends({ ending: 'failed', commit: base }));
  expect(data).not.toHaveProperty('branch');
  expect(data).not.toHaveProperty('commit');
});

test('unattended: a person may not pause it, and may cancel it', () => {
  const paused = meet([unattended], asks('task.pause'));
  expect(paused.type).toBe('nothing');
  expect(inShort(paused.owes)).toEqual(going);
  expect(meet([unattended], asks('task.cancel')).type).toBe('task.cancelled');
});

test.each(['task.resume', 'task.answer', 'task.approve', 'task.pause', 'task.cancel'] as const)(
  'unattended: %s of one that failed is nothing',
  (type) => {
    const failed: Event = (task) => ({
      type: 'task.failed',
      data: { reason: 'why', runId: task.work!.runId, spend: spend(0) },
    });
    expect(meet([unattended, failed], asks(type, { answer: 'go on' })).type).toBe('nothing');
  },
);

test('unattended: what goes well goes as ever, and a role that is missing is waited for', () => {
  const done = meet([unattended, toReviewer(c1)], reviews('approve'));
  expect(done.type).toBe('task.completed');
  const watch: When = (task) => {
    const { runId, role } = task.work!;
    const dueAtMs = acceptedAtMs + 10_000;
    return inputOf('task.watch', { runId, role, dueAtMs }, nowMs, { living: {} });
  };
  expect(meet([unattended], watch).type).toBe('task.waiting');
});

test.each<{ it: string; asked: Parameters<typeof accepted>[0]; given?: Event[]; mend: string }>([
  { it: 'the tests', asked: {}, mend: "./switchyard submit --repo /srv/code --test 'npm test'" },
  {
    it: 'all that was asked for, but for the bounds',
    asked: { goal: "Don't crash", setup: 'npm ci', model: 'small', plan: 'single', limits: { cycles: 0 } },
    mend: "./switchyard submit --repo /srv/code --goal 'Don'\\''t crash' --test 'npm test' --setup 'npm ci' --plan single --model small",
  },
  {
    it: 'a plan as it was made',
    asked: { goal: 'Add a flag' },
    given: [planned([coderItem('first'), coderItem('second')])],
    mend: "./switchyard submit --repo /srv/code --goal 'Add a flag' --test 'npm test'",
  },
  {
    it: 'a goal that no line holds, for the person to say',
    asked: { goal: 'Add\na flag' },
    mend: `./switchyard submit --repo /srv/code --goal "..." --test 'npm test'`,
  },
])('unattended: a failed one is submitted again, attended, with $it', ({ asked, given = [], mend }) => {
  const met = meet([accepted({ ...asked, unattended: true }), ...given], ends({ ending: 'failed' }));
  expect(met.data['mend']).toBe(mend);
});
