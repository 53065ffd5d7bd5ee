import { expect, test } from 'vitest';
import {
  accepted,
  asks,
  base,
  coderItem,
  ends,
  going,
  inShort,
  meet,
  planned,
  taskId,
  testerItem,
} from './given.ts';

const planning = accepted({ goal: 'Add a flag' });
const careful = accepted({ goal: 'Add a flag', approvePlan: true });
const items = [testerItem('write a test'), coderItem('make it pass')];
const plans = ends({ result: { role: 'planner', items } });

test('plan: its first item starts at once, whoever does it', () => {
  const met = meet([planning], plans);
  expect(met.type).toBe('task.planned');
  expect(met.data['next']).toMatchObject({
    role: 'tester',
    itemIndex: 0,
    itemCount: 2,
    hop: 0,
    cyclesLeft: 2,
    fromCommit: base,
  });
  expect(inShort(met.owes)).toEqual(going);
});

test('plan: one that is to be approved starts nothing', () => {
  const met = meet([careful], plans);
  expect(met.data).not.toHaveProperty('next');
  expect(met.task.pause).toMatchObject({ kind: 'approval', mend: `./switchyard approve ${taskId}` });
  expect(met.owes).toEqual([]);
});

test('plan: an approval begins its first item', () => {
  const met = meet([careful, planned(items, true)], asks('task.approve'));
  expect(met.type).toBe('task.resumed');
  expect(met.task.work).toMatchObject({
    role: 'tester',
    goal: 'write a test',
    itemIndex: 0,
    itemCount: 2,
    cyclesLeft: 2,
  });
});

test('plan: an answer has it planned again', () => {
  const met = meet([careful, planned(items, true)], asks('task.answer', { answer: 'no tests' }));
  expect(met.task).toMatchObject({
    phase: 'running',
    itemIndex: -1,
    work: { role: 'planner', notes: ['no tests'] },
  });
  expect(meet([careful, planned(items, true)], asks('task.resume')).type).toBe('nothing');
});

test.each([
  { it: 'no result', ended: {} },
  { it: 'no items', ended: { result: { role: 'planner' as const, items: [] } } },
  { it: 'the result of another role', ended: { result: { role: 'coder' as const, summary: 'x' } } },
])('plan: a planner that ends with $it pauses the task', ({ ended }) => {
  expect(meet([planning], ends(ended)).data).toMatchObject({
    kind: 'failure',
    reason: 'the planner ended without a plan',
  });
});
