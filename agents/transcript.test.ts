import fc from 'fast-check';
import { expect, test } from 'vitest';
import { definitions } from './roles.ts';
import {
  aRun,
  broken,
  call,
  choiceOf,
  edited,
  finish,
  green,
  red,
  redBaseline,
  replyOf,
  type Life,
} from './run-for-tests.ts';
import { shorten, type Message } from './shorten.ts';
import { estimateTokens } from './tokens.ts';
import { transcript } from './transcript.ts';

const { coder, reviewer } = definitions;
const plenty = 1_000_000;
const asked = () => aRun(coder).start().performs(redBaseline);
const read = (life: Life, tokens = plenty) => transcript(coder, life.run, tokens);
/** What follows the system prompt and the brief. */
const turns = (life: Life) => read(life).slice(2);

/** Every tool call has one answer, which comes after it and before the next reply: what OpenAI's servers insist on. */
function expectAnswered(messages: Message[]): void {
  let open: string[] = [];
  for (const message of messages) {
    if (message.role === 'tool') {
      expect(open).toContain(message.toolCallId);
      open = open.filter((id) => id !== message.toolCallId);
      continue;
    }
    expect(open).toEqual([]);
    if (message.role === 'assistant') open = message.toolCalls.map((one) => one.id);
  }
  expect(open).toEqual([]);
}

test('transcript: begins with the role and the brief, which holds what the opening step brought', () => {
  const [system, brief] = read(asked());
  expect(system).toEqual({ role: 'system', content: coder.system });
  expect(brief).toMatchObject({
    role: 'user',
    content: expect.stringMatching(/Meetings back to back[\s\S]*2 fail/),
  });
  expect(turns(asked())).toEqual([]);
});

test('transcript: a call and its answer', () => {
  const given = { path: 'a.js' };
  expect(
    turns(
      asked()
        .replies([call('edit-file', given)])
        .performs(edited),
    ),
  ).toEqual([
    { role: 'assistant', content: '', toolCalls: [call('edit-file', given)] },
    { role: 'tool', toolCallId: 'call_edit-file', content: '1 replacement', status: 'ok' },
  ]);
});

test.each<{ it: string; life: () => Life; answers: unknown[] }>([
  {
    it: 'several calls are answered in their order',
    life: () =>
      asked()
        .replies([call('read-file'), call('edit-file')])
        .performs({ status: 'ok', output: 'text' })
        .performs(edited),
    answers: ['text', '1 replacement'],
  },
  {
    it: 'finish beside another call is told that it was not heard',
    life: () =>
      asked()
        .replies([finish(), call('edit-file')])
        .performs(edited),
    answers: [expect.stringMatching(/^Not heard/), '1 replacement'],
  },
  {
    it: 'finish is answered by red tests, a second one is not performed',
    life: () =>
      asked()
        .replies([finish(), finish({ summary: 'b' }, 'two')])
        .performs(red),
    answers: ['The harness ran the tests and they fail:\n2 fail', 'Not performed.'],
  },
  {
    it: 'a finish that does not fit is answered by what is wrong',
    life: () => asked().replies([finish({})]),
    answers: [expect.stringMatching(/summary/)],
  },
  {
    it: 'broken arguments are shown as they were written',
    life: () =>
      asked()
        .replies([broken('edit-file', '{"path": ')])
        .performs({ status: 'failed', output: 'must be object' }),
    answers: ['Nothing was done: the arguments are no JSON object. They were: {"path": '],
  },
  {
    it: 'arguments that were cut off are said to be',
    life: () =>
      asked()
        .replies([broken('edit-file', '{')], { finish: 'length' })
        .performs({ status: 'failed', output: 'no' }),
    answers: [expect.stringContaining('cut off at its length limit')],
  },
])('transcript: $it', ({ life, answers }) => {
  const messages = turns(life());
  expect(messages.filter((one) => one.role === 'tool').map((one) => one.content)).toEqual(answers);
  expectAnswered(messages);
});

test('transcript: a denial keeps its status', () => {
  const denied = { status: 'denied', output: 'outside the workspace' } as const;
  expect(
    turns(
      asked()
        .replies([call('write-file')])
        .performs(denied),
    ).at(-1),
  ).toMatchObject({ ...{ status: 'denied' }, content: denied.output });
});

test('transcript: a text is answered by its correction or by the red tests it led to', () => {
  expect(turns(asked().replies('I begin.'))).toEqual([
    { role: 'assistant', content: 'I begin.', toolCalls: [] },
    { role: 'user', content: expect.stringContaining('Nothing is changed yet') },
  ]);
  const life = asked()
    .replies([call('edit-file')])
    .performs(edited)
    .replies('Done.')
    .performs(red);
  expect(turns(life).slice(-2)).toEqual([
    { role: 'assistant', content: 'Done.', toolCalls: [] },
    { role: 'user', content: 'The harness ran the tests and they fail:\n2 fail' },
  ]);
});

test('transcript: an empty reply stays a turn that every server takes, and thinking is left out', () => {
  expect(turns(asked().replies(''))[0]).toEqual({ role: 'assistant', content: '(no text)', toolCalls: [] });
  expect(turns(asked().replies('<think>long</think>I begin.'))[0]).toMatchObject({ content: 'I begin.' });
});

test('transcript: a call that was given up leaves no turn', () => {
  expect(turns(asked().fails('503'))).toEqual([]);
});

/** A run whose tools bring much and whose calls hold much, `times` over. */
function long(times: number, size: number): Life {
  const life = asked();
  for (let count = 0; count < times; count += 1) {
    life
      .replies([
        call('read-file', { path: `${count}.js` }, `read_${count}`),
        call('write-file', { path: `${count}.js`, content: 'x'.repeat(size) }, `write_${count}`),
      ])
      .performs({ status: 'ok', output: `output ${count} ${'y'.repeat(size)}` })
      .performs(edited);
  }
  return life;
}

test('shortening: nothing is touched where all fits', () => {
  const life = long(3, 3000);
  expect(read(life, plenty)).toEqual(read(life, estimateTokens(read(life, plenty))));
});

test('shortening: the oldest outputs and arguments go first, openly, the latest stay', () => {
  const life = long(6, 3000);
  // Room for the latest turn and little more.
  const short = read(life, 3500);
  expect(estimateTokens(short)).toBeLessThanOrEqual(3500);
  expect(short.slice(-3)).toEqual(read(life).slice(-3));
  const [, , oldReply, oldOutput] = short;
  expect(JSON.stringify(oldReply)).toContain('2880 characters are left out here to fit the context window');
  expect(oldOutput?.content).toMatch(/^output 0 y+\n\[\d+ characters are left out here/);
  expect(oldReply).toMatchObject({ toolCalls: [{ id: 'read_0', name: 'read-file' }, { id: 'write_0' }] });
});

test('shortening: what is latest is cut no more than it must be', () => {
  const short = read(long(6, 3000), 2800);
  expect(estimateTokens(short)).toBeLessThanOrEqual(2800);
  expect(JSON.stringify(short.at(-3)).length).toBeGreaterThan(900);
  expect(short.at(-2)?.content.length).toBeGreaterThan(900);
});

test('shortening: a huge latest output and a huge brief are cut too, with head and tail kept', () => {
  const output = `first line\n${'z'.repeat(60_000)}\nlast line`;
  const life = aRun(coder)
    .start()
    .performs({ ...redBaseline, output })
    .replies([call('read-file')])
    .performs({ status: 'ok', output });
  const short = read(life, 3000);
  expect(estimateTokens(short)).toBeLessThanOrEqual(3000);
  expect(short[1]?.content).toMatch(/^# Goal\nMeetings[\s\S]*left out[\s\S]*last line$/);
  expect(short.at(-1)?.content).toMatch(/^first line[\s\S]*left out[\s\S]*last line$/);
});

test('shortening: holds whatever the run is like, drops no reply, leaves no call without an answer', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 20_000 }),
      fc.integer({ min: 5000, max: 20_000 }),
      (times, size, tokens) => {
        const life = long(times, size);
        const short = read(life, tokens);
        expect(estimateTokens(short)).toBeLessThanOrEqual(tokens);
        expect(short.filter((one) => one.role === 'assistant')).toHaveLength(times);
        expect(short.map((one) => one.role)).toEqual(read(life).map((one) => one.role));
        expectAnswered(short);
      },
    ),
    { numRuns: 30 },
  );
});

test('shortening: what no cutting can make fit is left whole enough to read', () => {
  const messages: Message[] = [
    { role: 'system', content: 's' },
    { role: 'user', content: 'u'.repeat(5000) },
  ];
  const [, brief] = shorten(messages, 1);
  expect(brief?.content.length).toBeGreaterThan(800);
});

test('tokens: scripts other than Latin count a token a character', () => {
  expect(estimateTokens(['あ'.repeat(100)])).toBeGreaterThanOrEqual(100);
  expect(estimateTokens(['a'.repeat(350)])).toBeLessThan(110);
});

test('transcript: a smaller window of the fallback makes the prompt shorter', () => {
  const choices = [choiceOf('large', { contextTokens: 100_000 }), choiceOf('small', { contextTokens: 6000 })];
  const life = aRun(reviewer, { choices })
    .start()
    .performs({ status: 'ok', output: 'd'.repeat(60_000) });
  const asks = () =>
    life.owed().flatMap((one) => ('type' in one && one.type === 'call.ask' ? [one.data] : []));
  const [before] = asks();
  life.fails('503');
  const [after] = asks();
  expect(estimateTokens(before!['messages'] as Message[])).toBeGreaterThan(15_000);
  expect(
    estimateTokens([...(after!['messages'] as Message[]), ...(after!['tools'] as unknown[])]),
  ).toBeLessThanOrEqual(5000);
});

test('transcript: the same journal gives the same prompt in every process', () => {
  const one = long(2, 500).replies([finish()]).performs(red);
  const other = long(2, 500).replies([finish()]).performs(red);
  expect(read(other)).toEqual(read(one));
  expect(read(one.replies([finish()]).performs(green))).toEqual(read(one));
  expect(replyOf('a').toolCalls).toEqual([]);
});
