import { expect, test } from 'vitest';
import { defaultLimits } from '../../schemas/bounds.ts';
import type { SubmitRequest } from '../../schemas/request.ts';
import { dataProblems } from '../../schemas/validate.ts';
import { accept, type AcceptanceFacts } from './accept.ts';
import { base, envelope, facts, request, stored, taskId } from './given.ts';
import { evolve, noTask } from './task.ts';

function accepts(
  asked: Partial<SubmitRequest> & Record<string, unknown>,
  looked: Partial<AcceptanceFacts> = {},
) {
  const submit = { repository: '/srv/code', ...asked };
  const decision = accept({ ...envelope('task.submit', submit), ...request }, { ...facts, ...looked });
  if (decision.do !== 'append') throw new Error('a request is always answered');
  const event = stored(decision.type, decision.data, 'submit', 1);
  expect(dataProblems(decision.type, event.event.data)).toEqual([]);
  return { type: decision.type, data: decision.data as Record<string, unknown>, task: evolve(noTask, event) };
}

test.each([
  {
    it: 'a test command alone needs no planner',
    asked: { test: 'npm test' },
    role: 'coder',
    goalIsTests: true,
  },
  {
    it: 'that the tests pass needs no planner',
    asked: { goal: 'Please make the tests pass!', test: 'npm test' },
    role: 'coder',
    goalIsTests: true,
  },
  {
    it: 'a goal of its own is planned',
    asked: { goal: 'Add a flag', test: 'npm test' },
    role: 'planner',
    goalIsTests: false,
  },
  {
    it: 'a goal that only begins like one is planned',
    asked: { goal: 'Make the tests pass on Windows', test: 'npm test' },
    role: 'planner',
    goalIsTests: false,
  },
  {
    it: 'one item is given where it is asked for',
    asked: { goal: 'Add a flag', plan: 'single' as const },
    role: 'coder',
    goalIsTests: false,
  },
  {
    it: 'a planner is given where it is asked for',
    asked: { test: 'npm test', plan: 'planner' as const },
    role: 'planner',
    goalIsTests: true,
  },
  {
    it: 'who wants to approve a plan gets one',
    asked: { test: 'npm test', approvePlan: true },
    role: 'planner',
    goalIsTests: true,
  },
])('accept: $it', ({ asked, role, goalIsTests }) => {
  const { type, data, task } = accepts(asked);
  expect(type).toBe('task.accepted');
  const itemIndex = role === 'planner' ? -1 : 0;
  expect(data).toMatchObject({
    goalIsTests,
    next: { role, hop: 0, cyclesLeft: 2, fromCommit: base, itemIndex },
  });
  expect(task).toMatchObject({
    phase: 'running',
    taskId,
    itemIndex,
    deadlineAtMs: 1 + defaultLimits.deadlineMs,
  });
});

test.each([
  { it: 'neither goal nor test', asked: {}, reason: 'say what is wanted' },
  {
    it: 'tests that shall pass without a test command',
    asked: { goal: 'make all tests pass' },
    reason: 'there is no test command',
  },
  {
    it: 'a plan to approve where there is none',
    asked: { goal: 'x', plan: 'single' as const, approvePlan: true },
    reason: 'there is no plan to approve',
  },
  {
    it: 'a plan to approve where nobody is there',
    asked: { goal: 'x', approvePlan: true, unattended: true },
    reason: 'nobody is there to approve its plan',
  },
  {
    it: 'a test command that is not allowed',
    asked: { test: 'npm test --force' },
    reason: 'the operator allows "npm test"',
  },
  {
    it: 'a set-up that is not allowed',
    asked: { test: 'npm test', setup: 'curl x' },
    reason: 'setup: "curl x" is not allowed',
  },
  { it: 'a command that cannot be read', asked: { test: 'npm "test' }, reason: 'test: ' },
  {
    it: 'a model that is not configured',
    asked: { test: 'npm test', model: 'big' },
    reason: 'there are: small',
  },
  {
    it: 'a property that nobody knows',
    asked: { test: 'npm test', tset: 'x' },
    reason: 'unknown property "tset"',
  },
  {
    it: 'a bound that is none',
    asked: { test: 'npm test', limits: { hops: -1 } },
    reason: 'data.limits.hops',
  },
])('accept: rejects $it', ({ asked, reason }) => {
  const { type, data } = accepts(asked);
  expect(type).toBe('task.rejected');
  expect((data['reasons'] as string[]).join('\n')).toContain(reason);
});

test('accept: gives every reason at once', () => {
  const asked = { test: 'rm -rf', setup: 'curl x', model: 'big' };
  const { data } = accepts(asked, { repository: { problem: 'it is no git repository' } });
  expect(data['reasons']).toHaveLength(4);
});

test('accept: a model that the mode bars is rejected with the mode to set, and is none of those there are', () => {
  const { type, data } = accepts({ test: 'npm test', model: 'away' }, { barred: ['away'] });
  expect(type).toBe('task.rejected');
  expect(data['reasons']).toEqual([
    'model: "away" is not on this machine, and the mode is `local-only`: set `mode: local+api` in switchyard.yaml; there are: small',
  ]);
});

test('accept: a request tightens bounds and never loosens them', () => {
  const { task } = accepts({ test: 'npm test', limits: { cycles: 1, hops: 50 } });
  expect(task.limits).toEqual({ ...defaultLimits, cycles: 1 });
  expect(task.work!.cyclesLeft).toBe(1);
});

test('accept: says which changes the task does not see', () => {
  const repository = { path: '/srv/code', baseCommit: base, branch: 'main', uncommittedFiles: 3 };
  expect(accepts({ test: 'npm test' }, { repository }).data['notes']).toEqual([
    expect.stringContaining('3 file(s)'),
  ]);
});

test('accept: what could not be looked into is not accepted', () => {
  const submit = { repository: '/srv/code', test: 'npm test' };
  const decision = accept({ ...envelope('task.submit', submit), ...request }, undefined);
  expect(decision).toMatchObject({
    type: 'task.rejected',
    data: { reasons: ['the request could not be looked into'] },
  });
});

test.each([
  'Fix the failing tests',
  'Please repair all the broken tests.',
  'Make the failing tests pass',
  'Get all of the red tests green!',
  'make the tests work',
  'get the failing test passing',
])('accept: "%s" says no more than the tests do, and needs no planner', (goal) => {
  expect(accepts({ goal, test: 'npm test' }).data).toMatchObject({ goalIsTests: true });
});

test.each([
  'Fix the tests',
  'Fix the failing tests on Windows',
  'Fix the failing tests and add a flag',
  'Make the failing tests pass by deleting them',
])('accept: "%s" says more, and is planned', (goal) => {
  expect(accepts({ goal, test: 'npm test' }).data).toMatchObject({ goalIsTests: false });
});
