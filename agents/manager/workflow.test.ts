import { expect, test } from 'vitest';
import {
  accepted,
  acceptedAtMs,
  asks,
  c1,
  c2,
  changesAsked,
  deadLetter,
  deadlineAtMs,
  ends,
  fold,
  going,
  green,
  inputOf,
  inShort,
  interrupted,
  meet,
  nowMs,
  paused,
  resumed,
  stored,
  taskId,
  timesOut,
  toReviewer,
  worked,
  type Event,
  type When,
} from './given.ts';
import { evolve } from './task.ts';
import { isOver, outbox } from './workflow.ts';

const inReview = [accepted(), toReviewer(c1)];
interface Row {
  it: string;
  given: Event[];
  when: When;
  then: string;
  owes: string[];
}

const ended = [accepted(), () => ({ type: 'task.cancelled' as const, data: { reason: 'no more' } })];

test.each<Row>([
  {
    it: 'a cancel ends a running task and stops its run',
    given: inReview,
    when: asks('task.cancel'),
    then: 'task.cancelled',
    owes: ['run.stop 1'],
  },
  {
    it: 'a cancel ends a paused task',
    given: [accepted(), paused('failure')],
    when: asks('task.cancel'),
    then: 'task.cancelled',
    owes: [],
  },
  {
    it: 'a cancel that overtakes its submit is written',
    given: [],
    when: asks('task.cancel'),
    then: 'task.cancelled',
    owes: [],
  },
  {
    it: 'a cancel of an ended task is nothing',
    given: ended,
    when: asks('task.cancel'),
    then: 'nothing',
    owes: [],
  },
  {
    it: 'a pause stops the run',
    given: [accepted()],
    when: asks('task.pause'),
    then: 'task.paused',
    owes: ['run.stop 0'],
  },
  {
    it: 'a pause of a paused task is nothing',
    given: [accepted(), paused('failure')],
    when: asks('task.pause'),
    then: 'nothing',
    owes: [],
  },
  {
    it: 'a pause that overtakes its submit is nothing',
    given: [],
    when: asks('task.pause'),
    then: 'nothing',
    owes: [],
  },
  {
    it: 'a resume of a running task is nothing',
    given: [accepted()],
    when: asks('task.resume'),
    then: 'nothing',
    owes: going,
  },
  {
    it: 'a resume still owes the stop of the run that was abandoned',
    given: [accepted(), interrupted('asked')],
    when: asks('task.resume'),
    then: 'task.resumed',
    owes: ['run.stop 0', ...going],
  },
  {
    it: 'two abandoned runs are owed a stop each',
    given: [accepted(), interrupted('asked'), resumed()],
    when: asks('task.pause'),
    then: 'task.paused',
    owes: ['run.stop 0', 'run.stop 1'],
  },
  {
    it: 'a cancel still owes every stop',
    given: [accepted(), interrupted('asked')],
    when: asks('task.cancel'),
    then: 'task.cancelled',
    owes: ['run.stop 0'],
  },
  {
    it: 'a dead letter pauses and stops the run',
    given: [accepted()],
    when: deadLetter(),
    then: 'task.paused',
    owes: ['run.stop 0'],
  },
  {
    it: "another task's dead letter is nothing",
    given: [accepted()],
    when: deadLetter('another'),
    then: 'nothing',
    owes: going,
  },
  {
    it: 'the deadline pauses and stops the run',
    given: [accepted()],
    when: timesOut(),
    then: 'task.paused',
    owes: ['run.stop 0'],
  },
  {
    it: 'a deadline timer that is early is put back',
    given: [accepted()],
    when: timesOut(deadlineAtMs, deadlineAtMs - 1),
    then: 'later',
    owes: going,
  },
  {
    it: 'a timer of a deadline that was moved is nothing',
    given: [accepted()],
    when: timesOut(deadlineAtMs - 1, deadlineAtMs),
    then: 'nothing',
    owes: going,
  },
  {
    it: 'a deadline of a paused task is nothing',
    given: [accepted(), paused('failure')],
    when: timesOut(),
    then: 'nothing',
    owes: [],
  },
  {
    it: 'the current run moves the task',
    given: [accepted()],
    when: worked(c1),
    then: 'task.handed_over',
    owes: going,
  },
  {
    it: 'a stale run moves nothing',
    given: inReview,
    when: ends({ runId: fold([accepted()]).work!.runId, role: 'coder', commit: c2, tests: green }),
    then: 'nothing',
    owes: going,
  },
  {
    it: 'a conclusion from the journal of another role moves nothing',
    given: inReview,
    when: ends({
      role: 'coder',
      result: { role: 'reviewer', verdict: 'approve', summary: 's', findings: [] },
    }),
    then: 'nothing',
    owes: going,
  },
  {
    it: 'the stopped run of a paused task moves nothing',
    given: [accepted(), interrupted('asked')],
    when: worked(c1),
    then: 'nothing',
    owes: ['run.stop 0'],
  },
  {
    it: 'an unknown input is nothing',
    given: [accepted()],
    when: () => inputOf('run.start', {}, nowMs),
    then: 'nothing',
    owes: going,
  },
])('workflow: $it', ({ given, when, then, owes }) => {
  const met = meet(given, when);
  expect(met.type).toBe(then);
  expect(inShort(met.owes)).toEqual(owes);
});

test('workflow: a conclusion without a reference to its journal moves nothing', () => {
  const met = meet([accepted()], (task) => ({ ...worked(c1)(task), reference: undefined }));
  expect(met.type).toBe('nothing');
});

test('workflow: a late copy of a pause decides nothing after the resume', () => {
  const first = meet([accepted()], asks('task.pause', { reason: 'lunch' }));
  expect(first.data).toMatchObject({ kind: 'asked', reason: 'lunch', mend: `./switchyard resume ${taskId}` });
  const history: Event[] = [
    accepted(),
    () => ({
      type: 'task.paused',
      data: { ...first.data, given: { inputId: asks('task.pause')(first.task).id } },
    }),
    resumed(),
  ];
  expect(meet(history, asks('task.pause')).type).toBe('nothing');
});

test('workflow: time passes from when the run was named, not from when the task was accepted', () => {
  const task = fold(inReview);
  const watch = outbox(task).find((owed) => owed.type === 'task.watch')!;
  expect(watch.data).toMatchObject({
    runId: task.work!.runId,
    role: 'reviewer',
    dueAtMs: acceptedAtMs + 1000 + 10_000,
  });
});

test('workflow: every stored event carries the hop and the cycles left of the work at hand', () => {
  const history = [...inReview, changesAsked('F1')];
  for (const when of [asks('task.pause'), asks('task.cancel')]) {
    expect(meet(history, when).decision).toMatchObject({ hop: 2, cyclesLeft: 1 });
  }
});

test('workflow: only what nobody can resume is over', () => {
  expect(isOver(fold([accepted()]))).toBe(false);
  expect(isOver(fold([accepted(), paused('failure')]))).toBe(false);
  expect(isOver(fold(ended))).toBe(true);
  expect(isOver(evolve(fold([]), stored('task.rejected', { reasons: ['no'] }, 'one', 1)))).toBe(true);
});
