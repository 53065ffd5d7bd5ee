import { expect, test } from 'vitest';
import {
  accepted,
  advice,
  blocking,
  c1,
  c2,
  c3,
  changesAsked,
  coderItem,
  ends,
  going,
  inShort,
  meet,
  planned,
  red,
  reviews,
  taskId,
  testerItem,
  toReviewer,
  type Event,
  type When,
} from './given.ts';

const once = [accepted(), toReviewer(c1)];
const twice = [...once, changesAsked('F1'), toReviewer(c2)];
const thrice = [...twice, changesAsked('F2'), toReviewer(c3)];
const twoItems = [accepted({ goal: 'x' }), planned([coderItem('one'), testerItem('two')]), toReviewer(c1)];
const redForLater = [accepted({ goal: 'x' }), planned([testerItem('show it')]), toReviewer(c1, red)];

interface Row {
  it: string;
  given: Event[];
  when: When;
  then: string;
  data: Record<string, unknown>;
}

test.each<Row>([
  {
    it: 'an approval completes the task',
    given: once,
    when: reviews('approve'),
    then: 'task.completed',
    data: { commit: c1, branch: `switchyard/${taskId}`, findings: [] },
  },
  {
    it: 'advice does not block',
    given: once,
    when: reviews('approve', advice('A1')),
    then: 'task.completed',
    data: { findings: [{ id: 'A1' }] },
  },
  {
    it: 'changes asked for without a blocking finding are advice',
    given: once,
    when: reviews('changes', advice('A1')),
    then: 'task.completed',
    data: { findings: [{ id: 'A1' }] },
  },
  {
    it: 'a blocking finding is sent to the coder',
    given: once,
    when: reviews('changes', blocking('F1'), advice('A1')),
    then: 'task.revision_requested',
    data: {
      why: 'review',
      cyclesLeft: 1,
      commit: c1,
      findings: [{ id: 'F1' }],
      next: { role: 'coder', hop: 2, cyclesLeft: 1, fromCommit: c1 },
    },
  },
  {
    it: 'an approval that lists a blocking finding is no approval',
    given: once,
    when: reviews('approve', blocking('F1')),
    then: 'task.revision_requested',
    data: { cyclesLeft: 1 },
  },
  {
    it: 'the second cycle is the fourth hop',
    given: twice,
    when: reviews('changes', blocking('F2')),
    then: 'task.revision_requested',
    data: { cyclesLeft: 0, next: { hop: 4 } },
  },
  {
    it: 'an approval after two cycles completes',
    given: thrice,
    when: reviews('approve'),
    then: 'task.completed',
    data: { commit: c3 },
  },
  {
    it: 'it stops when no cycle is left',
    given: thrice,
    when: reviews('changes', blocking('F3')),
    then: 'task.paused',
    data: {
      kind: 'bound',
      reason: 'no review cycle is left',
      mend: `./switchyard resume ${taskId} --cycles 1 --hops 2`,
      commit: c3,
      findings: [{ id: 'F3' }],
    },
  },
  {
    it: 'it stops when no hop is left for the changes and their review',
    given: [accepted({}, { hops: 2 }), toReviewer(c1)],
    when: reviews('changes', blocking('F1')),
    then: 'task.paused',
    data: {
      kind: 'bound',
      reason: 'no hop is left for the changes and their review',
      mend: `./switchyard resume ${taskId} --hops 1`,
    },
  },
  {
    it: 'it stops when a finding came back',
    given: twice,
    when: reviews('changes', blocking('F1')),
    then: 'task.paused',
    data: { kind: 'review', reason: 'a finding came back: F1' },
  },
  {
    it: 'a finding that came back after it was gone stops it too, and says that nothing is left',
    given: thrice,
    when: reviews('changes', blocking('F1')),
    then: 'task.paused',
    data: { kind: 'bound', reason: 'a finding came back: F1, and no review cycle is left' },
  },
  {
    it: 'it stops when the reviewer is blocked',
    given: once,
    when: reviews('blocked'),
    then: 'task.paused',
    data: { kind: 'review', reason: 'the reviewer is blocked: so it is' },
  },
  {
    it: 'a review without a result is none',
    given: once,
    when: ends({}),
    then: 'task.paused',
    data: { kind: 'failure' },
  },
  {
    it: 'a reviewer that broke is no approval',
    given: once,
    when: ends({
      ending: 'failed',
      reason: 'crashed',
      result: { role: 'reviewer', verdict: 'approve', summary: '', findings: [] },
    }),
    then: 'task.paused',
    data: { kind: 'failure', reason: 'crashed' },
  },
  {
    it: 'a reviewer cannot end red',
    given: once,
    when: ends({ ending: 'red' }),
    then: 'task.paused',
    data: { kind: 'failure' },
  },
  {
    it: 'the next item has hops and cycles of its own',
    given: [...twoItems, changesAsked('F1'), toReviewer(c2)],
    when: reviews('approve'),
    then: 'task.handed_over',
    data: {
      commit: c2,
      next: {
        role: 'tester',
        goal: 'two',
        itemIndex: 1,
        itemCount: 2,
        hop: 0,
        cyclesLeft: 2,
        fromCommit: c2,
        findings: [],
      },
    },
  },
  {
    it: 'red tests override the approval of the last item',
    given: redForLater,
    when: reviews('approve'),
    then: 'task.paused',
    data: { kind: 'failure', findings: [{ id: 'tests-fail' }] },
  },
])('review: $it', ({ given, when, then, data }) => {
  const met = meet(given, when);
  expect(met.type).toBe(then);
  expect(met.data).toMatchObject(data);
  expect(inShort(met.owes)).toEqual(
    ['task.handed_over', 'task.revision_requested'].includes(then) ? going : [],
  );
});

test('review: a finding of one item may be found in the next', () => {
  const history = [...twoItems, changesAsked('F1'), toReviewer(c2)];
  const second = meet(history, reviews('approve'));
  const inSecond: Event[] = [
    ...history,
    () => ({ type: 'task.handed_over', data: second.data }),
    toReviewer(c3),
  ];
  expect(meet(inSecond, reviews('changes', blocking('F1'))).type).toBe('task.revision_requested');
});
