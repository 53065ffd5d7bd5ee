import { expect, test } from 'vitest';
import { noSpend } from '../../schemas/work.ts';
import {
  accepted,
  acceptedAtMs,
  asks,
  base,
  blocking,
  c1,
  c2,
  c3,
  c4,
  changesAsked,
  fold,
  going,
  inShort,
  interrupted,
  meet,
  nowMs,
  paused,
  resumed,
  reviews,
  spend,
  taskId,
  toReviewer,
  worked,
  type Event,
  type Met,
  type When,
} from './given.ts';
import type { PauseKind } from './pause.ts';
import type { StoppedRun } from './task.ts';

const inReview = [accepted(), toReviewer(c1)];
/** Five hops made, no cycle left. */
const atTheBound = [...inReview, changesAsked('F1'), toReviewer(c2), changesAsked('F2'), toReviewer(c3)];
const plain = asks('task.resume');

/** A history that goes on by what is really decided, so that a pause holds what it would hold. */
const on = (history: Event[], when: When): Event[] => {
  const met = meet(history, when);
  if (met.decision.do !== 'append') throw new Error(`decided: ${met.type}`);
  const { type, data } = met.decision;
  return [...history, () => ({ type, data: { ...data, given: { atMs: nowMs } } })];
};
const outOfCycles = on(atTheBound, reviews('changes', blocking('F3')));

interface Row {
  it: string;
  given: Event[];
  when: When;
  work: Record<string, unknown>;
  limits?: Record<string, unknown>;
}

test.each<Row>([
  {
    it: 'does the same work again from the commit of the run that ended',
    given: [accepted(), paused('failure', { commit: c1 })],
    when: plain,
    work: { role: 'coder', hop: 0, cyclesLeft: 2, fromCommit: c1 },
  },
  {
    it: 'does the same work again from where it began when nothing was committed',
    given: [accepted(), paused('failure')],
    when: plain,
    work: { role: 'coder', fromCommit: base },
  },
  {
    it: 'reviews again what was to be reviewed',
    given: [...inReview, paused('failure')],
    when: plain,
    work: { role: 'reviewer', hop: 1, fromCommit: c1, lastTests: { testsPass: true } },
  },
  {
    it: 'asks another model',
    given: [accepted(), paused('model')],
    when: asks('task.resume', { model: 'small' }),
    work: { model: 'small' },
  },
  {
    it: 'tells the answer',
    given: [accepted(), paused('question')],
    when: asks('task.answer', { answer: 'add a flag' }),
    work: { notes: ['add a flag'], goalIsTests: false },
  },
  {
    it: 'goes on after an approval of what may have happened',
    given: [accepted(), paused('indeterminate', { commit: c1 })],
    when: asks('task.approve'),
    work: { role: 'coder', fromCommit: c1 },
  },
  {
    it: 'spends the cycle and the hop that were added',
    given: outOfCycles,
    when: asks('task.resume', { cycles: 1, hops: 2 }),
    work: { role: 'coder', hop: 6, cyclesLeft: 0, fromCommit: c3, findings: [{ id: 'F3' }] },
    limits: { cycles: 3, hops: 7 },
  },
  {
    it: 'an answer sends the findings back without a cycle, and brings the hop of their review',
    given: outOfCycles,
    when: asks('task.answer', { answer: 'copy it first' }),
    work: { role: 'coder', hop: 5, cyclesLeft: 0, findings: [{ id: 'F3' }], notes: ['copy it first'] },
    limits: { cycles: 2, hops: 6 },
  },
  {
    it: 'spends a cycle when a finding came back',
    given: on([...inReview, changesAsked('F1'), toReviewer(c2)], reviews('changes', blocking('F1'))),
    when: plain,
    work: { role: 'coder', hop: 4, cyclesLeft: 0, findings: [{ id: 'F1' }], fromCommit: c2 },
  },
  {
    it: 'reviews again what a blocked reviewer could not',
    given: on(inReview, reviews('blocked')),
    when: asks('task.answer', { answer: 'it is wanted' }),
    work: { role: 'reviewer', hop: 1, fromCommit: c1, notes: ['it is wanted'] },
  },
  {
    it: 'goes on with the review for which no hop was left',
    given: on([accepted({}, { hops: 0 })], worked(c1)),
    when: asks('task.resume', { hops: 1 }),
    work: { role: 'reviewer', hop: 1, fromCommit: c1, baselineKnown: true },
    limits: { hops: 1 },
  },
  {
    it: 'goes no further than the contract',
    given: [accepted(), paused('bound')],
    when: asks('task.resume', { hops: 50, cycles: 20, steps: 1000 }),
    work: { cyclesLeft: 20 },
    limits: { hops: 50, cycles: 20, steps: 1000 },
  },
  {
    it: 'adds to the budget',
    given: [accepted(), paused('budget', { spend: spend(6_000_000) })],
    when: asks('task.resume', { budgetMicroDollars: 2_000_000 }),
    work: { spent: { costMicroDollars: 6_000_000 } },
    limits: { budgetMicroDollars: 7_000_000 },
  },
])('resume: $it', ({ given, when, work, limits }) => {
  const met = meet(given, when);
  expect(met.type).toBe('task.resumed');
  expect(met.task.work).toMatchObject(work);
  expect(met.task.limits).toMatchObject(limits ?? {});
  expect(met.task.limits).toEqual(met.task.work!.limits);
  expect(met.task.work!.runId).not.toBe(fold(given).work!.runId);
  expect(inShort(met.owes)).toEqual(going);
});

test.each([
  { it: 'no cycle is added', given: outOfCycles, when: plain, mend: '--cycles 1 --hops 2' },
  {
    it: 'cycles are added and hops are not',
    given: outOfCycles,
    when: asks('task.resume', { cycles: 1 }),
    mend: '--cycles 1 --hops 2',
  },
  {
    it: 'no hop is added',
    given: on([accepted({}, { hops: 0 })], worked(c1)),
    when: plain,
    mend: '--hops 1',
  },
  {
    it: 'the budget is still used up',
    given: [accepted(), paused('budget', { spend: spend(6_000_000) })],
    when: asks('task.resume', { budgetMicroDollars: 1_000_000 }),
    mend: '--budget 2.00',
  },
])('resume: starts nothing when $it, and says what is lacking', ({ given, when, mend }) => {
  const before = fold(given);
  const met = meet(given, when);
  expect(met.type).toBe('task.paused');
  expect(met.task.pause).toEqual({
    ...before.pause,
    reason: expect.any(String),
    mend: `./switchyard resume ${taskId} ${mend}`,
  });
  expect(met.task).toMatchObject({ runs: before.runs, limits: before.limits, spent: before.spent });
  expect(met.owes).toEqual([]);
});

test('resume: what is said to be lacking is enough', () => {
  const refused = on(outOfCycles, plain);
  expect(meet(refused, asks('task.resume', { cycles: 1, hops: 2 })).type).toBe('task.resumed');
});

const kinds: PauseKind[] = [
  'bound',
  'budget',
  'deadline',
  'question',
  'approval',
  'review',
  'model',
  'indeterminate',
  'dead_letter',
  'failure',
  'asked',
];
const heard: Record<string, PauseKind[]> = {
  'task.resume': kinds.filter((kind) => kind !== 'approval' && kind !== 'indeterminate'),
  'task.answer': ['bound', 'question', 'approval', 'review', 'model', 'failure', 'asked'],
  'task.approve': ['approval', 'indeterminate'],
};
test.each(Object.keys(heard))('resume: %s is heard where it helps and nowhere else', (type) => {
  const isHeard = (kind: PauseKind) => {
    const when = asks(type as 'task.answer', type === 'task.answer' ? { answer: 'so' } : {});
    return meet([accepted(), paused(kind)], when).type !== 'nothing';
  };
  expect(kinds.filter(isHeard)).toEqual(heard[type]);
});

test('resume: a finding that comes back after it stops again', () => {
  const roomy = [accepted({}, { hops: 9 }), toReviewer(c1), changesAsked('F1'), toReviewer(c2)];
  const stuck = on(roomy, reviews('changes', blocking('F1')));
  const answered = on(stuck, asks('task.answer', { answer: 'try again' }));
  const again = meet([...answered, toReviewer(c4)], reviews('changes', blocking('F1')));
  expect(again.data).toMatchObject({ kind: 'review', reason: 'a finding came back: F1' });
});

test('resume: a pause in the middle of a revision does not make stagnation forgotten', () => {
  const halfway = [...inReview, changesAsked('F1'), interrupted('asked'), resumed()];
  expect(meet(halfway, worked(c1)).data).toMatchObject({ kind: 'review' });
  const reviewing = [...inReview, changesAsked('F1'), toReviewer(c2), interrupted('asked'), resumed()];
  expect(meet(reviewing, reviews('changes', blocking('F1'))).data).toMatchObject({ kind: 'review' });
});

test('resume: an answer to a standstill lets the same commit be reviewed', () => {
  const stuck = on([...inReview, changesAsked('F1')], worked(c1));
  expect(meet(on(stuck, asks('task.answer', { answer: 'F1 is wanted' })), worked(c1)).type).toBe(
    'task.handed_over',
  );
});

test('resume: what a person adds is for the item at hand', () => {
  const items = [
    { role: 'coder' as const, goal: 'one' },
    { role: 'coder' as const, goal: 'two' },
  ];
  const first = [
    accepted({ goal: 'x' }),
    (): ReturnType<Event> => ({
      type: 'task.planned',
      data: {
        items,
        spend: noSpend,
        next: {
          ...fold([accepted({ goal: 'x' })]).work!,
          role: 'coder',
          itemIndex: 0,
          itemCount: 2,
          runId: 'd7c2a0a4-5f0e-5b57-8a69-3f0f7e3f5b11',
        },
      },
    }),
  ];
  const more = on([...first, paused('bound')], asks('task.resume', { cycles: 5, hops: 5, steps: 5 }));
  const next = meet([...more, toReviewer(c1)], reviews('approve'));
  expect(next.task.work).toMatchObject({
    itemIndex: 1,
    cyclesLeft: 2,
    limits: { cycles: 2, hops: 5, steps: 65 },
  });
});

test("resume: the time of a pause is not the task's", () => {
  const met = meet([accepted(), interrupted('asked')], plain);
  // Paused one second after the acceptance and resumed thirty seconds after it.
  expect(met.task.deadlineAtMs).toBe(acceptedAtMs + 3_600_000 + 29_000);
  const deadline = met.owes.find((owed) => owed.type === 'task.deadline')!;
  expect(deadline.data['dueAtMs']).toBe(met.task.deadlineAtMs);
});

test('resume: time that is added counts from now', () => {
  const met = meet([accepted(), interrupted('deadline')], asks('task.resume', { deadlineMs: 60_000 }));
  expect(met.task.deadlineAtMs).toBe(nowMs + 60_000);
});

const stoppedRun = (more: Partial<StoppedRun>): StoppedRun[] => [
  { runId: fold([accepted()]).work!.runId, hasEnded: true, commit: c1, spend: spend(900), ...more },
];
const stopped = [accepted(), interrupted('asked')];

test('resume: goes on from the last commit of the run that was stopped, and counts its cost once', () => {
  const met = meet(stopped, asks('task.resume', {}, stoppedRun({})));
  expect(met.task.work).toMatchObject({ fromCommit: c1, spent: spend(900) });
  expect(met.task.spent).toEqual(spend(900));
  // It has ended, so nothing is left to be stopped.
  expect(inShort(met.owes)).toEqual(going);
});

test('resume: waits a little for a stopped run to say where it ended, and not for ever', () => {
  const running = asks('task.resume', {}, stoppedRun({ hasEnded: false }));
  expect(meet(stopped, running).decision).toEqual({ do: 'later', delayMs: 250 });
  const met: Met = meet(stopped, (task) => ({
    ...running(task),
    claim: { sequence: 1, deliveries: 20, process: 'm' },
  }));
  expect(met.type).toBe('task.resumed');
  expect(met.task.work).toMatchObject({ fromCommit: c1, spent: noSpend });
  expect(inShort(met.owes)).toEqual(['run.stop 0', ...going]);
});

test('resume: a run that never began leaves nothing to go on from', () => {
  const met = meet(stopped, asks('task.resume', {}, stoppedRun({ commit: '', spend: noSpend })));
  expect(met.task.work!.fromCommit).toBe(base);
});

const resumesWith =
  (model: string, models?: string[], barred?: string[]): When =>
  (task) => ({
    ...asks('task.resume', { model })(task),
    facts: { stopped: [], ...(models ? { models } : {}), ...(barred ? { barred } : {}) },
  });

test('resume: a model that is not configured starts nothing, and all that are configured are named', () => {
  const given = [...inReview, paused('question', { findings: [blocking('F1')], commit: c2 })];
  const before = fold(given);
  const met = meet(given, resumesWith('foo', ['small', 'large']));
  expect(met.type).toBe('task.paused');
  expect(met.task.pause).toEqual({
    ...before.pause,
    kind: 'model',
    reason: 'the model "foo" is not configured; there are: small, large',
    mend: `./switchyard resume ${taskId} --model small`,
  });
  expect(met.task).toMatchObject({ runs: before.runs, limits: before.limits, spent: before.spent });
  expect(met.owes).toEqual([]);
  const mended = meet(on(given, resumesWith('foo', ['small'])), resumesWith('small', ['small']));
  expect(mended.task.work).toMatchObject({ model: 'small', fromCommit: c2 });
});

test('resume: where no model is configured a mend names none', () => {
  const met = meet([accepted(), paused('model')], resumesWith('foo', []));
  expect(met.data).toMatchObject({
    reason: 'the model "foo" is not configured; there are: none',
    mend: `./switchyard resume ${taskId}`,
  });
});

test('resume: a model that the mode bars starts nothing, and the mode to set is named', () => {
  const met = meet([accepted(), paused('model')], resumesWith('away', ['small'], ['away']));
  expect(met.type).toBe('task.paused');
  expect(met.data).toMatchObject({
    reason: expect.stringContaining('the model "away" is not on this machine, and the mode is `local-only`'),
    mend: `./switchyard resume ${taskId} --model small`,
  });
});

test('resume: a record without the names of models is decided as it was', () => {
  expect(meet([accepted(), paused('model')], resumesWith('foo')).type).toBe('task.resumed');
});
