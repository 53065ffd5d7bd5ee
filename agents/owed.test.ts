import { expect, test } from 'vitest';
import { dataProblems } from '../schemas/validate.ts';
import { definitions } from './roles.ts';
import {
  aRun,
  base,
  call,
  changed,
  choiceOf,
  edited,
  finish,
  green,
  redBaseline,
  replyOf,
  runId,
  taskId,
  type Life,
} from './run-for-tests.ts';

const { coder, reviewer, tester } = definitions;
const asked = (options = {}) => aRun(coder, options).start().performs(redBaseline);
const atWork = () =>
  asked()
    .replies([call('edit-file')])
    .performs(edited);
const keys = (life: Life) => life.owed().map((one) => one.key.replace(/\|.*/, ''));

test.each<[string, Life, string[]]>([
  ['before the start', aRun(), []],
  ['with a tool step open', aRun().start(), []],
  ['with a call open', asked(), ['ask', 'deadline']],
  ['after a correction', asked().replies(''), ['ask', 'deadline']],
  ['after a failed call', asked().fails('503'), ['ask', 'deadline']],
  ['after a late call', asked().isLate(), ['cancel', 'ask', 'deadline']],
  ['after a stop before the start', aRun().stop(), ['home']],
  ['after a stop with a call open', asked().stop(), ['cancel', 'home']],
  [
    'after a stop with a tool step open',
    asked()
      .replies([call('edit-file')])
      .stop(),
    ['home'],
  ],
  ['after a conclusion with a commit', atWork().replies([finish()]).performs(green), ['branch', 'home']],
  ['after a take-over', aRun().start().isTakenOver('coder.two'), []],
])('owed: %s', (_name, life, expected) => {
  expect(keys(life)).toEqual(expected);
});

test('owed: the ask and its timer are owed together, for the very call that is open', () => {
  const life = asked();
  const { callId, deadlineAtMs } = life.openCall();
  expect(life.owed()).toMatchObject([
    {
      key: `ask|${callId}`,
      to: { inbox: 'pool', pool: 'pool-of-small' },
      type: 'call.ask',
      data: {
        callId,
        runId,
        role: 'coder',
        model: 'small',
        pool: 'pool-of-small',
        maxTokens: 1000,
        deadlineAtMs,
      },
      answer: { journal: { entity: 'call', id: callId }, home: { type: 'call.answered', role: 'coder' } },
    },
    {
      key: `deadline|${callId}`,
      to: { inbox: 'timer', purpose: 'call' },
      data: { runId, callId, dueAtMs: deadlineAtMs },
    },
  ]);
});

test('owed: the tools of the role are offered, and finish with its schema', () => {
  const [ask] = asked().owed();
  const tools = (ask as unknown as { data: { tools: { name: string; arguments: unknown }[] } }).data.tools;
  expect(tools.map((tool) => tool.name)).toEqual([...coder.tools, 'finish']);
  expect(tools.at(-1)?.arguments).toMatchObject({ type: 'object', required: ['summary'] });
});

test('owed: everything fits its row', () => {
  for (const life of [
    asked(),
    asked().isLate(),
    asked().stop(),
    atWork().replies([finish()]).performs(green),
  ]) {
    for (const one of life.owed()) if ('type' in one) expect(dataProblems(one.type, one.data)).toEqual([]);
  }
});

test('owed: a call that was given up is called off until its answer is in', () => {
  const life = asked();
  const { callId } = life.openCall();
  life.isLate();
  expect(life.owed()[0]).toMatchObject({
    key: `cancel|${callId}`,
    to: { inbox: 'role', role: 'inference' },
    data: { callId, runId, role: 'coder' },
    answer: { journal: { entity: 'call', id: callId }, home: { type: 'call.answered', role: 'coder' } },
  });
  life.meet(life.inputOfCancelled(callId, 5));
  expect(keys(life)).toEqual(['ask', 'deadline']);
});

test('owed: a stopped run calls its open call off, and nothing but that and its homecoming is left', () => {
  const life = asked();
  const { callId } = life.openCall();
  life.stop();
  life.meet(life.inputOfAnswer(callId, replyOf([finish()]), 5));
  expect(life.lastType).toBe('run.settled');
  expect(keys(life)).toEqual(['home']);
});

test('owed: the homecoming names the conclusion for ever, whatever is stored after it', () => {
  const life = asked().isLate();
  const late = life.owed()[0] as unknown as { data: { callId: string } };
  life.stop();
  const home = life.owed().at(-1);
  expect(home).toMatchObject({
    key: 'home',
    to: { inbox: 'role', role: 'manager' },
    type: 'work.concluded',
    data: { journal: `yard.event.${taskId}.run.coder.${runId}`, sequence: life.events.length * 3 },
  });
  life.meet(life.inputOfAnswer(late.data.callId, replyOf('late')));
  expect(life.lastType).toBe('run.settled');
  expect(life.owed().at(-1)).toEqual(home);
});

test('owed: whoever folds the journal owes the same', () => {
  expect(asked().isLate().owed()).toEqual(asked().isLate().owed());
  const life = asked();
  const before = life.owed();
  life.meet(life.inputOfStart());
  expect(life.owed()).toEqual(before);
});

test.each([
  ['a coder', coder, changed, true],
  ['a tester', tester, changed, true],
  ['a coder without a commit', coder, base, false],
])('owed: the branch follows %s: %s', (_name, definition, commit, follows) => {
  const life = aRun(definition, { choices: [choiceOf('small')] })
    .start()
    .performs(redBaseline)
    .replies([call('edit-file')])
    .performs({ ...edited, commit })
    .replies([finish()])
    .performs(green);
  const branch = { key: `branch|${commit}`, follow: { repository: '/srv/code', taskId, commit } };
  expect(life.owed().some((one) => 'follow' in one)).toBe(follows);
  if (follows) expect(life.owed()[0]).toEqual(branch);
});

test('owed: no branch follows a reviewer', () => {
  const approval = { verdict: 'approve', summary: 'Right.', findings: [] };
  const life = aRun(reviewer, { work: { fromCommit: changed } })
    .start()
    .performs({ status: 'ok', output: 'diff' })
    .replies([finish(approval)]);
  expect(keys(life)).toEqual(['home']);
});
