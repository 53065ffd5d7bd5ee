import { expect, test } from 'vitest';
import { definitions } from './roles.ts';
import { openIntent } from './run.ts';
import {
  aRun,
  base,
  broken,
  call,
  changed,
  choiceOf,
  edited,
  finish,
  green,
  limitsOf,
  red,
  redBaseline,
  replyOf,
  report,
  type Life,
} from './run-for-tests.ts';

const { coder, planner, reviewer } = definitions;
const approval = { verdict: 'approve', summary: 'It is right.', findings: [] };
/** A coder whose baseline is red and whose model is asked. */
const asked = (options = {}) => aRun(coder, options).start().performs(redBaseline);
/** A coder that has made an edit and is asked what next. */
const atWork = (options = {}) =>
  asked(options)
    .replies([call('edit-file')])
    .performs(edited);
const ending = (life: Life) => {
  const { ending: end, reason } = life.lastData('run.concluded');
  return { ending: end, reason };
};
const open = (life: Life) => {
  const { opens } = life.run;
  return opens?.kind === 'tool' ? `${opens.tool} ${opens.number}` : opens?.kind;
};

test.each<{ it: string; life: () => Life; opens: string | undefined; last: string }>([
  { it: 'a start prepares', life: () => aRun().start(), opens: 'prepare 0', last: 'run.started' },
  { it: 'a red baseline asks', life: () => asked(), opens: 'call', last: 'run.stepped' },
  {
    it: 'a green baseline asks where there is a goal',
    life: () => aRun().start().performs(green),
    opens: 'call',
    last: 'run.stepped',
  },
  {
    it: 'a tool call is performed',
    life: () => asked().replies([call('read-file')]),
    opens: 'read-file 2',
    last: 'run.replied',
  },
  {
    it: 'the second of two tool calls is performed after the first',
    life: () =>
      asked()
        .replies([call('read-file'), call('edit-file')])
        .performs(edited),
    opens: 'edit-file 3',
    last: 'run.stepped',
  },
  {
    it: 'the model is asked once all tool calls are performed',
    life: () =>
      asked()
        .replies([call('read-file'), call('edit-file')])
        .performs(edited)
        .performs(edited),
    opens: 'call',
    last: 'run.stepped',
  },
  {
    it: 'finish beside another call waits for what that brings',
    life: () =>
      asked()
        .replies([call('edit-file'), finish()])
        .performs(edited),
    opens: 'call',
    last: 'run.stepped',
  },
  {
    it: 'finish runs the tests',
    life: () => atWork().replies([finish()]),
    opens: 'run-tests 4',
    last: 'run.replied',
  },
  {
    it: 'two finishes are one',
    life: () => atWork().replies([finish(), finish({ summary: 'again' }, 'other')]),
    opens: 'run-tests 4',
    last: 'run.replied',
  },
  {
    it: 'a text after an edit runs the tests',
    life: () => atWork().replies('All done.'),
    opens: 'run-tests 4',
    last: 'run.replied',
  },
  {
    it: 'a text before any edit is corrected',
    life: () => asked().replies('I will read the file.'),
    opens: 'call',
    last: 'run.replied',
  },
  { it: 'an empty reply is corrected', life: () => atWork().replies(''), opens: 'call', last: 'run.replied' },
  {
    it: 'a text that was cut off is corrected',
    life: () => atWork().replies('All do', { finish: 'length' }),
    opens: 'call',
    last: 'run.replied',
  },
  {
    it: 'an unknown tool is a step, so that its failure is told',
    life: () => asked().replies([call('apply_patch')]),
    opens: 'apply_patch 2',
    last: 'run.replied',
  },
  {
    it: 'red tests go back to the model',
    life: () => atWork().replies([finish()]).performs(red),
    opens: 'call',
    last: 'run.stepped',
  },
  {
    it: 'a failed call is put to the fallback',
    life: () => asked().fails('503'),
    opens: 'call',
    last: 'run.rerouted',
  },
  {
    it: 'a late call is put to the fallback',
    life: () => asked().isLate(),
    opens: 'call',
    last: 'run.rerouted',
  },
])('run: $it', ({ life, opens, last }) => {
  const lived = life();
  expect(lived.lastType).toBe(last);
  expect(open(lived)).toBe(opens);
});

test.each<{ it: string; life: () => Life; ending: string; reason: RegExp }>([
  {
    it: 'a green baseline with no other goal',
    life: () =>
      aRun(coder, { work: { goalIsTests: true } })
        .start()
        .performs(green),
    ending: 'green_already',
    reason: /pass already/,
  },
  {
    it: 'a worktree that cannot be made ready',
    life: () => aRun().start().performs({ status: 'failed', output: 'npm ci failed' }),
    ending: 'setup',
    reason: /npm ci failed/,
  },
  {
    it: 'green tests',
    life: () => atWork().replies([finish()]).performs(green),
    ending: 'done',
    reason: /the tests pass/,
  },
  {
    it: 'finish where there is no test command',
    life: () => atWork({ work: { test: undefined } }).replies([finish()]),
    ending: 'done',
    reason: /finished/,
  },
  {
    it: 'tests red as often as they may be',
    life: () => {
      const life = atWork();
      for (let attempt = 0; attempt < 3; attempt += 1) life.replies([finish()]).performs(red);
      return life;
    },
    ending: 'red',
    reason: /fail after 3 attempt/,
  },
  {
    it: 'tests that cannot be run as often as they may be tried',
    life: () => {
      const life = atWork();
      for (let attempt = 0; attempt < 3; attempt += 1)
        life.replies([finish()]).performs({ status: 'failed', output: 'no node' });
      return life;
    },
    ending: 'red',
    reason: /could not be run \(no node\) after 3/,
  },
  {
    it: 'tests that policy refuses',
    life: () => atWork().replies([finish()]).performs({ status: 'denied', output: 'no sandbox' }),
    ending: 'failed',
    reason: /may not be run: no sandbox/,
  },
  {
    it: 'replies that break their schema once too often',
    life: () => asked().replies('one').replies('two').replies('three').replies('four'),
    ending: 'schema',
    reason: /^4 replies in a row of small .*does this model support tool calling/,
  },
  {
    it: 'broken replies of a model that can call tools',
    life: () => atWork().replies('').replies('').replies('').replies(''),
    ending: 'schema',
    reason: /^4 replies in a row of small could not be used; the last was answered: The reply was empty/,
  },
  {
    it: 'a failed call with no other model',
    life: () => asked().fails('503 from A').fails('refused by B'),
    ending: 'model',
    reason: /^small: 503 from A; large: refused by B; no other model is left/,
  },
  {
    it: 'a late call with no other model',
    life: () => asked({ choices: [choiceOf('small')] }).isLate(),
    ending: 'model',
    reason: /^small: no answer came in time; no other/,
  },
  {
    it: 'a model whose window nothing can make large enough',
    life: () => asked({ choices: [choiceOf('tiny', { contextTokens: 1100 })] }),
    ending: 'model',
    reason: /tiny: the run no longer fits its context window of 1100 tokens/,
  },
  {
    it: 'a reviewer at its verdict',
    life: () =>
      aRun(reviewer)
        .start()
        .performs({ status: 'ok', output: 'diff' })
        .replies([finish(approval)]),
    ending: 'done',
    reason: /finished/,
  },
  {
    it: 'a planner at its plan',
    life: () =>
      aRun(planner)
        .start()
        .performs({ status: 'ok', output: 'src/' })
        .replies([finish({ items: [{ role: 'coder', goal: 'mend it' }] })]),
    ending: 'done',
    reason: /finished/,
  },
])('run: ends with $it', ({ life, ending: end, reason }) => {
  const lived = life();
  expect(ending(lived)).toEqual({ ending: end, reason: expect.stringMatching(reason) });
  expect(lived.run).toMatchObject({ phase: 'concluded', ending: end, opens: undefined });
});

test('run: a step is declared in the name of this very delivery', () => {
  const life = aRun();
  const input = life.inputOfStart();
  life.meet({ ...input, claim: { sequence: 9, deliveries: 3, process: 'coder.two' } });
  expect(life.openTool()).toMatchObject({
    claim: { sequence: 9, deliveries: 3, process: 'coder.two' },
    epoch: 1,
    atMs: input.atMs,
  });
});

test('run: every step keeps the class of its tool, also those that follow in one delivery', () => {
  const effects = { 'run-program': 'opaque', 'run-tests': 'opaque', 'edit-file': 'queryable' } as const;
  const life = asked({ effects }).replies([call('edit-file'), call('run-program')]);
  expect(life.openTool().effect).toBe('queryable');
  life.performs(edited);
  expect(life.openTool()).toMatchObject({ tool: 'run-program', effect: 'opaque' });
  life.performs(edited).replies([finish()]);
  expect(life.openTool()).toMatchObject({ tool: 'run-tests', effect: 'opaque' });
});

test('run: arguments that are no JSON are recorded as they were written, never replaced by none', () => {
  const life = asked().replies([broken('list-dir', '{"path": "sr')], { finish: 'length' });
  expect(life.openTool()).toMatchObject({ tool: 'list-dir', arguments: '{"path": "sr' });
});

test('run: what the model calls like a step of the harness is a tool call as any other', () => {
  const life = atWork({ work: { goalIsTests: true } })
    .replies([call('prepare')])
    .performs(green);
  expect(open(life)).toBe('call');
  expect(life.run.baseline).toMatchObject({ testsPass: false });
  life.replies([call('run-tests')]).performs(red);
  expect(life.run).toMatchObject({ redRuns: 0, isFinishing: false });
  life.replies([call('run-tests')]).performs(green);
  expect(open(life)).toBe('call');
});

test('run: a result says the role of the run, whatever the model writes', () => {
  const life = aRun(reviewer).start().performs({ status: 'ok', output: 'diff' });
  life.replies([finish({ ...approval, role: 'coder' })]);
  expect(life.lastData('run.concluded').result).toEqual({ ...approval, role: 'reviewer' });
});

test.each([
  ['the finish', [finish({ summary: 'A copy is sorted.' })], 'A copy is sorted.'],
  ['a text', '<think>hm</think>A copy is sorted.', 'A copy is sorted.'],
  ['JSON in a text', 'So:\n```json\n{"summary": "A copy is sorted."}\n```', 'A copy is sorted.'],
])('run: the summary is that of %s', (_name, said, summary) => {
  const life = atWork().replies(said).performs(green);
  expect(life.lastData('run.concluded').result).toEqual({ role: 'coder', summary });
});

test('run: a conclusion holds commit, baseline, tests and spend', () => {
  const life = atWork().replies([finish()], {}, 40).performs(green);
  expect(life.lastData('run.concluded')).toMatchObject({
    commit: changed,
    baseline: report(false),
    tests: report(true),
    spend: { calls: 2, inputTokens: 200, outputTokens: 20, costMicroDollars: 40 },
    number: 4,
    outcome: green,
  });
});

test('run: an edit is the end of a row of broken replies', () => {
  const life = asked()
    .replies('one')
    .replies('two')
    .replies([call('edit-file')])
    .performs(edited);
  expect(life.run.corrections).toBe(0);
  expect(life.replies('').replies('').replies('').lastType).toBe('run.replied');
});

test('bounds: steps are never exceeded, and one is kept for the tests', () => {
  const life = atWork({ work: { limits: limitsOf({ steps: 6 }) } });
  life.replies([finish()]).performs(red);
  expect(ending(life)).toEqual({ ending: 'steps', reason: 'the run has used its 6 steps' });
  expect(life.run.steps).toBe(5);
  const queue = asked({ work: { limits: limitsOf({ steps: 4 }) } }).replies([
    call('edit-file'),
    call('read-file'),
  ]);
  queue.performs(edited);
  expect(ending(queue).ending).toBe('steps');
  expect(queue.lastData('run.concluded').commit).toBe(changed);
});

const priced = (model: string, more = {}) =>
  choiceOf(model, { inputMicroDollars: 1_000_000, outputMicroDollars: 10_000_000, ...more });

test('bounds: a call is not made where its worst case would break the budget of the task', () => {
  // At most 1000 tokens are written, so that no call can cost less than 10,000 micro-dollars.
  const spent = { calls: 1, inputTokens: 0, outputTokens: 0, costMicroDollars: 990_001 };
  const life = asked({
    choices: [priced('paid')],
    work: { spent, limits: limitsOf({ budgetMicroDollars: 1_000_000 }) },
  });
  expect(ending(life)).toEqual({
    ending: 'budget',
    reason: expect.stringMatching(
      /^the next call may cost \$0\.01\d+, and \$0\.9900 of \$1\.0000 are spent$/,
    ),
  });
});

test('bounds: a small budget is enough for a short prompt to a model with a large window', () => {
  const choices = [priced('paid', { contextTokens: 200_000 })];
  const life = asked({ choices, work: { limits: limitsOf({ budgetMicroDollars: 20_000 }) } });
  expect(open(life)).toBe('call');
});

test('bounds: what a call that was given up may still cost is held', () => {
  const choices = [priced('one'), priced('two')];
  const work = { limits: limitsOf({ budgetMicroDollars: 20_000 }) };
  expect(ending(asked({ choices, work }).isLate())).toEqual({
    ending: 'budget',
    reason: expect.stringMatching(/^one: no answer came in time; .* held for calls that were given up$/),
  });
  // A failed call has told its cost.
  expect(open(asked({ choices, work }).fails('503'))).toBe('call');
});

test('fallback: each choice is asked under an id of its own', () => {
  const life = asked();
  const first = life.openCall();
  life.fails('503');
  expect(life.openCall()).toMatchObject({ choice: 1 });
  expect(life.openCall().callId).not.toBe(first.callId);
});

test('fallback: the model that answered last is asked next, and the first again when it fails', () => {
  const life = asked()
    .fails('503')
    .replies([call('edit-file')])
    .performs(edited);
  expect(life.openCall().choice).toBe(1);
  life.fails('busy');
  expect(life.openCall().choice).toBe(0);
  life.fails('503');
  expect(ending(life)).toEqual({
    ending: 'model',
    reason: 'large: busy; small: 503; no other model is left to ask',
  });
});

test('fallback: a model whose window is too small for the run is passed over', () => {
  const choices = [choiceOf('one'), choiceOf('tiny', { contextTokens: 1100 }), choiceOf('three')];
  expect(asked({ choices }).fails('503').openCall().choice).toBe(2);
});

test('deadline: a timer that is not due waits, a due one gives the call up, a stale one is nothing', () => {
  const life = asked();
  const { callId, deadlineAtMs } = life.openCall();
  expect(life.meet(life.inputOfDeadline(callId, deadlineAtMs, deadlineAtMs - 500))).toEqual({
    do: 'later',
    delayMs: 500,
  });
  expect(life.meet(life.inputOfDeadline(callId, deadlineAtMs, deadlineAtMs - 600_000))).toEqual({
    do: 'later',
    delayMs: 60_000,
  });
  expect(life.meet(life.inputOfDeadline(callId, deadlineAtMs, deadlineAtMs))).toMatchObject({
    type: 'run.rerouted',
  });
  expect(life.meet(life.inputOfDeadline(callId, deadlineAtMs, deadlineAtMs))).toEqual({ do: 'nothing' });
});

test('a late answer: leaves an open step with the message that opened it, so that nobody else takes it over', () => {
  const life = asked();
  const late = life.openCall().callId;
  life.isLate().replies([call('edit-file')]);
  const intent = openIntent(life.run);
  life.meet(life.inputOfAnswer(late, replyOf('late')));
  expect(life.lastType).toBe('run.settled');
  expect(openIntent(life.run)).toEqual(intent);
});

test('a late answer: settles its cost once and never moves the run', () => {
  const life = asked();
  const late = life.openCall().callId;
  life.isLate();
  const now = life.openCall();
  expect(life.meet(life.inputOfAnswer(late, replyOf([finish()]), 70))).toMatchObject({ type: 'run.settled' });
  expect(life.meet(life.inputOfAnswer(late, replyOf([finish()]), 70))).toEqual({ do: 'nothing' });
  expect(life.openCall()).toEqual(now);
  expect(life.run.spent).toMatchObject({ calls: 1, costMicroDollars: 70 });
});

test.each([
  ['the last call failed', (life: Life) => life.fails('a').fails('b', 5), 'model', 0],
  ['the last call was late', (life: Life) => life.isLate().isLate(), 'model', 2],
  [
    'a reply broke its schema',
    (life: Life) => life.replies('').replies('').replies('').replies('', {}, 5),
    'schema',
    0,
  ],
  ['a stop came', (life: Life) => life.stop(), 'stopped', 1],
])('a conclusion: where %s, only calls that nobody answered are called off', (_name, live, end, count) => {
  const life = live(asked());
  expect(life.run.ending).toBe(end);
  const cancels = life.owed().filter((one) => 'type' in one && one.type === 'call.cancel');
  expect(cancels).toHaveLength(count);
});

test('a conclusion: the cost of the call that led to it is counted once', () => {
  const life = asked({
    choices: [priced('paid')],
    work: { limits: limitsOf({ budgetMicroDollars: 30_000 }) },
  });
  const { callId } = life.openCall();
  const answer = life.inputOfAnswer(callId, replyOf(''), 29_000);
  life.meet(answer);
  expect(ending(life).ending).toBe('budget');
  expect(life.lastData('run.concluded')).toMatchObject({ callId, reply: { content: '' } });
  expect(life.meet(answer)).toEqual({ do: 'nothing' });
  expect(life.run.spent).toMatchObject({ calls: 1, costMicroDollars: 29_000 });
});

test('stop: before the start it is written all the same, and the run never begins', () => {
  const life = aRun().stop();
  expect(life.lastData('run.concluded')).toMatchObject({
    ending: 'stopped',
    commit: '',
    runId: expect.any(String),
  });
  expect(life.meet(life.inputOfStart())).toEqual({ do: 'nothing' });
  expect(life.owed()).toMatchObject([{ key: 'home', type: 'work.concluded' }]);
});

test('stop: while a tool step is open its outcome comes to nothing, and the last stored commit counts', () => {
  const life = atWork()
    .replies([call('edit-file', {}, 'second')])
    .stop();
  expect(ending(life)).toEqual({ ending: 'stopped', reason: 'the task was cancelled' });
  expect(life.lastData('run.concluded').commit).toBe(changed);
  expect(life.meet(life.inputOfOutcome({ ...edited, commit: base }))).toEqual({ do: 'nothing' });
  expect(life.meet(life.inputOfStop())).toEqual({ do: 'nothing' });
});

test('stop: an act that nothing can take back is said to be under way', () => {
  const life = asked({ effects: { 'run-program': 'opaque' } })
    .replies([call('run-program')])
    .stop();
  expect(ending(life).reason).toBe(
    'the task was cancelled; run-program (step 2) was under way, and may still happen',
  );
});

test('take-over: raises the epoch and carries the new claim', () => {
  const life = asked()
    .replies([call('edit-file')])
    .isTakenOver('coder.two');
  expect(life.lastData('run.taken_over')).toMatchObject({ number: 2, epoch: 2, from: 'coder.tests' });
  expect(life.openTool()).toMatchObject({ epoch: 2, claim: { deliveries: 2, process: 'coder.two' } });
  life.isTakenOver('coder.three');
  expect(life.openTool()).toMatchObject({ epoch: 3, claim: { deliveries: 3, process: 'coder.three' } });
  expect(open(life.performs(edited))).toBe('call');
});

test('take-over: an act that cannot be repeated is shown to a person', () => {
  const life = asked({ effects: { 'run-program': 'opaque' } })
    .replies([call('run-program')])
    .isTakenOver('coder.two');
  expect(ending(life)).toEqual({
    ending: 'indeterminate',
    reason: expect.stringContaining('run-program (step 2) may or may not have happened'),
  });
});

test('duplicates: every input met again decides nothing', () => {
  const life = aRun();
  const start = life.inputOfStart();
  life.meet(start);
  life.performs(redBaseline);
  const answer = life.inputOfAnswer(life.openCall().callId, replyOf([call('edit-file')]));
  life.meet(answer);
  life.performs(edited);
  const failure = life.inputOfFailure(life.openCall().callId, '503');
  life.meet(failure);
  const count = life.events.length;
  for (const input of [start, answer, failure]) expect(life.meet(input)).toEqual({ do: 'nothing' });
  expect(life.events).toHaveLength(count);
});
