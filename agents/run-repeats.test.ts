import { expect, test } from 'vitest';
import type { Outcome } from '../schemas/run.ts';
import { definitions } from './roles.ts';
import { aRun, base, call, edited, limitsOf, redBaseline, type Life } from './run-for-tests.ts';

/** A coder whose baseline is red and whose model is asked. */
const asked = (options = {}) => aRun(definitions.coder, options).start().performs(redBaseline);
const ending = (life: Life) => {
  const { ending: end, reason } = life.lastData('run.concluded');
  return { ending: end, reason };
};
const open = (life: Life) => life.run.opens?.kind;

const noMatch = { status: 'failed', output: 'The text to replace is not there.' } as const;
const noTool = { status: 'failed', output: 'There is no tool.' } as const;
const edit = (path: string) => [call('edit-file', { path })];
/** Each reply is answered by a failure, until the run ends or there are no more. */
const meetsFailures = (replies: ReturnType<typeof call>[][], outcome: Outcome, options = {}) => {
  const life = asked(options);
  for (const reply of replies) {
    if (life.run.phase === 'concluded') break;
    life.replies(reply);
    for (const _ of reply) if (life.run.phase === 'open') life.performs(outcome);
  }
  return life;
};
const times = <Item>(count: number, item: Item) => Array.from({ length: count }, () => item);

test('bounds: a call that failed and is made again and again ends the run before its steps are used', () => {
  const life = meetsFailures(times(9, edit('a.js')), noMatch);
  expect(ending(life)).toEqual({
    ending: 'failed',
    reason:
      'small made the same call of edit-file 5 times in a row, and each failed: The text to replace is not there.',
  });
  expect(life.lastData('run.concluded')).toMatchObject({ outcome: noMatch, commit: base });
  expect(life.run.steps).toBe(11);
  expect(ending(meetsFailures(times(9, edit('a.js')), { status: 'denied', output: 'outside' })).ending).toBe(
    'failed',
  );
});

test('bounds: tools that there are not, whatever they are called, end the run as soon', () => {
  const names = ['apply_patch', 'bash', 'apply_patch', 'str_replace', 'cat', 'ls'];
  expect(
    ending(
      meetsFailures(
        names.map((name) => [call(name)]),
        noTool,
      ),
    ),
  ).toEqual({
    ending: 'schema',
    reason: '5 replies in a row of small called tools that there are not, the last cat: There is no tool.',
  });
});

test.each([
  ['other arguments', [...times(4, edit('a.js')), edit('b.js'), ...times(4, edit('a.js'))], noMatch],
  ['a call that succeeds', times(12, edit('a.js')), edited],
  ['as often as replies may be wrong', times(4, edit('a.js')), noMatch],
  ['many calls of one reply', [times(6, edit('a.js')[0]!)], noMatch],
  ['a tool that there is not, then one that there is', [...times(4, [call('sh')]), edit('a.js')], noTool],
] as const)('bounds: %s does not end a run for repeating itself', (_name, replies, outcome) => {
  const life = meetsFailures(replies as unknown as ReturnType<typeof call>[][], outcome);
  expect(life.run.phase).toBe('open');
  expect(open(life)).toBe('call');
});

test('bounds: repeats are counted against the corrections that the task allows', () => {
  const work = { limits: limitsOf({ corrections: 0 }) };
  expect(meetsFailures(times(1, edit('a.js')), noMatch, { work }).run.phase).toBe('open');
  expect(meetsFailures(times(2, edit('a.js')), noMatch, { work }).run.ending).toBe('failed');
});
