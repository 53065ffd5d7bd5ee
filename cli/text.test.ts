import { spawnSync } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { emptyView, type TaskView } from '../observability/task-view.ts';
import { span } from '../observability/span.ts';
import { readCount, readCountFromOne, readDollars, readDuration, readDurationFromSecond } from './amount.ts';
import { codeAfterKill } from './demo-kill.ts';
import { requireCompleted } from './apply.ts';
import { endingText, exitCodeOf, whatApplies } from './ending.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError, failureOf } from './failure.ts';
import { readGoal, readLine, readText } from './given-text.ts';
import { openOutput, withState } from './output.ts';
import { openPaint } from './paint.ts';
import { tableOf } from './table.ts';
import { readTaskId } from './task-id.ts';

test.each([
  ['90s', 90_000],
  ['30m', 1_800_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['250ms', 250],
  ['2d', 172_800_000],
])('amount: %s is a time', (text, milliseconds) => {
  expect(readDuration(text)).toBe(milliseconds);
});

test.each(['', '5', 'h', '1h and more', '-1h', '1x'])('amount: %j is no time', (text) => {
  expect(() => readDuration(text)).toThrow(/such as 90s/);
});

test('amount: dollars become whole micro-dollars, and no fraction is lost', () => {
  expect([readDollars('1.00'), readDollars('$0.1'), readDollars('0.000001'), readDollars('19.99')]).toEqual([
    1_000_000, 100_000, 1, 19_990_000,
  ]);
  for (const text of ['', '-1', '1e3', '1,5', 'NaN']) expect(() => readDollars(text)).toThrow(/such as 1.50/);
  for (const text of ['-1', '1.5', '', 'ten']) expect(() => readCount(text)).toThrow(/whole number/);
  expect(() => readCount('9999999999')).toThrow(/smaller number/);
});

test('amount: what would be over before it begins is none', () => {
  expect([readCountFromOne('1'), readDurationFromSecond('1s')]).toEqual([1, 1000]);
  expect(() => readCountFromOne('0')).toThrow(/from 1 on/);
  expect(() => readDurationFromSecond('999ms')).toThrow(/at least 1s/);
});

test('given text: it says something, and a goal is no longer than the contract takes', () => {
  expect([readText(' npm test'), readGoal('x'.repeat(20_000)).length]).toEqual([' npm test', 20_000]);
  expect(readLine('build-1')).toBe('build-1');
  expect(() => readLine('build\n1')).toThrow(/line break/);
  for (const text of ['', ' ', '\n\t']) {
    expect(() => readText(text)).toThrow(/empty/);
    expect(() => readGoal(text)).toThrow(/empty/);
  }
  expect(() => readGoal('x'.repeat(20_001))).toThrow(/20001 characters; at most 20000/);
});

const tasks = async () => [
  { taskId: '3f1c0000-0000-5000-8000-000000000002' },
  { taskId: '3fff0000-0000-5000-8000-000000000001' },
];

test('task id: the start of one is enough as long as it is unique', async () => {
  expect(await readTaskId('3f1', tasks)).toBe('3f1c0000-0000-5000-8000-000000000002');
  expect(await readTaskId('LATEST', tasks)).toBe('3f1c0000-0000-5000-8000-000000000002');
  await expect(readTaskId('3f', tasks)).rejects.toThrow('2 tasks begin with "3f": 3f1c0000');
  await expect(readTaskId('9', tasks)).rejects.toThrow('no task begins with "9"');
  await expect(readTaskId('', tasks)).rejects.toThrow('no task begins');
  await expect(readTaskId('latest', async () => [])).rejects.toThrow('there is no task yet');
});

test('task id: a whole one is taken as it is, also before the task is accepted', async () => {
  const asked = '00000000-0000-5000-8000-000000000009';
  expect(await readTaskId(asked, () => Promise.reject(new Error('not asked')))).toBe(asked);
});

const states: TaskView['state'][] = [
  'queued',
  'running',
  'waiting',
  'paused',
  'completed',
  'failed',
  'cancelled',
  'rejected',
];

test('ending: every state has its exit code, and something that applies', () => {
  expect(states.map((state) => exitCodeOf({ state }))).toEqual([
    undefined,
    undefined,
    undefined,
    7,
    0,
    5,
    3,
    5,
  ]);
  for (const state of states)
    expect(whatApplies({ ...emptyView, taskId: 'x', state }).join()).toContain('./switchyard');
});

test('ending: only a completed task is offered to be applied', () => {
  const said = (state: TaskView['state']) =>
    endingText({ ...emptyView, taskId: 'x', state, commit: 'abcdef123', branch: 'switchyard/x' }, 0)
      .map((line) => line.map((one) => one.text).join(''))
      .join('\n');
  expect(said('completed')).toContain('./switchyard apply x');
  for (const state of states.filter((one) => one !== 'completed')) expect(said(state)).not.toContain('apply');
});

const textOfEnding = (view: Partial<TaskView>) =>
  endingText({ ...emptyView, taskId: 'x', ...view }, 0)
    .map((line) => line.map((one) => one.text).join(''))
    .join('\n');

test('ending: one that failed says why, what it reached and how it is tried again; an unattended one is not paused', () => {
  const mend = './switchyard submit --repo /srv/code';
  const failed = { state: 'failed' as const, mend, reasons: ['no time is left'] };
  const said = textOfEnding({ ...failed, commit: 'abcdef123', branch: 'switchyard/x' });
  for (const part of ['failed x', 'no time is left', 'switchyard/x at abcdef12', mend])
    expect(said).toContain(part);
  expect(whatApplies({ ...emptyView, taskId: 'x', ...failed })).toEqual([mend]);
  const running = { ...emptyView, taskId: 'x', state: 'running' as const };
  expect(whatApplies({ ...running, isUnattended: true })).toEqual(['./switchyard cancel x']);
  expect(whatApplies(running)).toContain('./switchyard pause x');
});

test('apply: a task that goes on is waited for, where one that ended is sent once more', () => {
  const mendOf = (state: TaskView['state']) => {
    try {
      requireCompleted({ ...emptyView, taskId: 'x', events: 1, state });
    } catch (error) {
      return failureOf(error).mend;
    }
    return undefined;
  };
  expect(mendOf('running')).toMatch(/^\.\/switchyard watch x waits for its end/);
  expect(mendOf('cancelled')).toMatch(/submit/);
});

test('ending: a denial that came in several runs is said once', () => {
  const denial = { atMs: 1, role: 'coder', action: 'run-program curl', why: 'no' };
  const denials = [denial, { ...denial, atMs: 2 }, { ...denial, action: 'read-file /x' }];
  expect(textOfEnding({ denials })).toMatch(/denied +run-program curl \(2 times\); read-file \/x$/m);
});

test('demo: one that completed without its crash says so and is no success; what else it came to stays', async () => {
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  expect(await codeAfterKill(exitCodes.paused, Promise.resolve(false), say)).toBe(exitCodes.paused);
  expect(await codeAfterKill(exitCodes.done, Promise.resolve(true), say)).toBe(exitCodes.done);
  expect(said).toEqual([]);
  expect(await codeAfterKill(exitCodes.done, Promise.resolve(false), say)).toBe(exitCodes.failure);
  expect(said.join('\n')).toContain('no coder was killed and replaced');
});

function streams(isTTY: boolean) {
  const [out, error] = [new PassThrough(), new PassThrough()];
  const read = (stream: PassThrough) => String(stream.read() ?? '');
  return {
    out: Object.assign(out, { isTTY }) as never,
    error: error as never,
    environment: {},
    said: () => ({ out: read(out), error: read(error) }),
  };
}

test('output: the result goes to standard output, progress and failures to standard error', () => {
  const to = streams(false);
  const output = openOutput(false, to);
  output.progress('on it');
  output.result({ a: 1 }, [[span('one', 'good'), span(' two')]]);
  output.failure({ problems: ['broken'], mend: 'mend it', exitCode: 1 });
  const { out, error } = to.said();
  expect(out).toBe('one two\n');
  expect(error).toContain('on it\n');
  expect(error).toContain('broken');
  expect(error).toContain('mend it');
});

test('output: with --json it is one document, or lines of which the last is the result', () => {
  const to = streams(true);
  const output = openOutput(true, to);
  output.entry({ n: 1 }, 'text');
  output.lastResult({ n: 2 }, 'text');
  expect(
    to
      .said()
      .out.trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([{ n: 1 }, { result: { n: 2 } }]);
});

test('paint: colours on a terminal only, and never against NO_COLOR', () => {
  const spans = [span('red', 'bad'), span(' plain')];
  expect(openPaint({ isTTY: true }, {})(spans)).toMatch(/^\u001b\[31mred\u001b\[39m plain$/);
  expect(openPaint({ isTTY: true }, { NO_COLOR: '1' })(spans)).toBe('red plain');
  expect(openPaint({}, {})(spans)).toBe('red plain');
});

test('table: columns line up, and the last is as long as it is', () => {
  const lines = tableOf(['a', 'long heading', 'c'], [[span('wide cell'), span('x'), span('end')]]).map(
    (row) => row.map((cell) => cell.text).join(''),
  );
  expect(lines).toEqual(['a          long heading  c', 'wide cell  x             end']);
});

test('failure: what looks like a secret is not shown', () => {
  const failure = failureOf(
    new CommandError(
      'refused: sk-abcdefghijklmnopqrstuvwxyz012345',
      'try sk-abcdefghijklmnopqrstuvwxyz012345',
    ),
  );
  expect(JSON.stringify(failure)).not.toContain('abcdefghijkl');
});

test('failure: a program that is not there is named', () => {
  const { error } = spawnSync('no-such-program');
  expect(failureOf(error)).toMatchObject({
    problems: ['there is no program no-such-program on the PATH'],
    mend: expect.stringContaining('./switchyard doctor') as string,
    exitCode: 1,
  });
});

test('output: commands that are shown name the state folder that was named, quoted where a shell needs it', () => {
  expect(withState('go on with ./switchyard resume 3f1c', undefined)).toBe(
    'go on with ./switchyard resume 3f1c',
  );
  expect(withState('./switchyard apply 3f1c', '/var/yard')).toBe('./switchyard --state /var/yard apply 3f1c');
  expect(withState('./switchyard apply 3f1c', "/var/my yard's")).toBe(
    "./switchyard --state '/var/my yard'\\''s' apply 3f1c",
  );
  // Without a folder, for any folder, and from the folder of another host.
  for (const [text, folder] of [
    ['./switchyard apply 3f1c', ''],
    ['./switchyard models list --help', '/var/yard'],
    ['./switchyard credentials export coder --to DIR', '/var/yard'],
  ] as const)
    expect(withState(text, folder)).toBe(text);
});
