import { expect, test } from 'vitest';
import { meaningOf } from './reply.ts';
import { objectsIn, spoken } from './reply-text.ts';
import { broken, call, finish, replyOf } from './run-for-tests.ts';
import { definitions } from './roles.ts';

const { coder, planner, reviewer, tester } = definitions;
const finding = { id: 'F1', severity: 'blocking', evidence: 'it sorts in place' };
const approval = { verdict: 'approve', summary: 'It is right.', findings: [] };
const changes = { verdict: 'changes', summary: 'One fault.', findings: [finding] };
const json = (value: unknown) => JSON.stringify(value);

test.each([
  ['finish', coder, [finish()], { summary: 'It is done.' }],
  ['finish of a reviewer', reviewer, [finish(changes)], changes],
  [
    'finish of a planner',
    planner,
    [finish({ items: [{ role: 'coder', goal: 'g' }] })],
    { items: [{ role: 'coder', goal: 'g' }] },
  ],
  [
    'findings left out',
    reviewer,
    [finish({ verdict: 'approve', summary: 'Right.' })],
    { ...approval, summary: 'Right.' },
  ],
  [
    'null for what is left out, and a number as a text',
    reviewer,
    [finish({ ...changes, findings: [{ ...finding, file: null, line: '12' }] })],
    { ...changes, findings: [{ ...finding, line: 12 }] },
  ],
  ['bare JSON', reviewer, json(approval), approval],
  [
    'fenced JSON after fenced code',
    reviewer,
    `Look:\n\`\`\`js\nconst a = { b };\n\`\`\`\n\`\`\`json\n${json(changes)}\n\`\`\``,
    changes,
  ],
  ['JSON after prose with a brace', reviewer, `The body {…} is right.\n${json(approval)}`, approval],
  ['JSON after thinking', reviewer, `<think>{"verdict": "blocked"}</think>${json(approval)}`, approval],
  [
    'finish written as text amid prose',
    reviewer,
    `I am done.\n${json({ name: 'finish', arguments: approval })}`,
    approval,
  ],
  [
    'the closing text of a coder',
    coder,
    'The comparison is mended.',
    { summary: 'The comparison is mended.' },
  ],
  [
    'the closing text of a tester',
    tester,
    '<think>so</think> Two tests more.',
    { summary: 'Two tests more.' },
  ],
])('reply: a result is read from %s', (_name, definition, said, result) => {
  expect(meaningOf(definition, replyOf(said), true)).toMatchObject({ means: 'result', result });
});

test.each([
  [
    'prose of a reviewer',
    reviewer,
    'This looks good to me!',
    /end by calling finish; if you cannot call tools, reply .* finish takes: \{/,
  ],
  ['nothing', coder, '', /^The reply was empty\. Call a tool/],
  ['thinking only', coder, '<think>what now', /^The reply was empty/],
  [
    'a wrong word',
    reviewer,
    [finish({ ...approval, verdict: 'ok' })],
    /verdict: .* approve, changes, blocked\. Call finish again/,
  ],
  ['several faults at once', reviewer, [finish({ verdict: 'ok' })], /summary.*verdict/],
  [
    'changes without a blocking finding',
    reviewer,
    [finish({ ...changes, findings: [] })],
    /no finding is blocking/,
  ],
  ['no items', planner, [finish({ items: [] })], /items: must not have fewer than 1 items/],
  [
    'nothing among the items',
    planner,
    [finish({ items: [{ role: 'coder', goal: 'g' }, null] })],
    /items\.1: must/,
  ],
  ['a text for a list', reviewer, [finish({ ...changes, findings: 'none' })], /findings: must be array/],
  ['a wrong result as text', reviewer, json({ verdict: 'approve' }), /summary/],
  ['broken arguments', coder, [broken('finish', '{"summary": "a')], /no JSON object: \{"summary": "a\./],
  [
    'a call of a tool amid prose',
    coder,
    `I read it:\n${json({ name: 'read-file', arguments: { path: 'a' } })}`,
    /holds a call of read-file, which was not performed/,
  ],
])('reply: %s is nothing valid, and says what to do', (_name, definition, said, correction) => {
  expect(meaningOf(definition, replyOf(said), true)).toEqual({
    means: 'nothing valid',
    correction: expect.stringMatching(correction),
  });
});

test('reply: a text ends the work only where it has begun', () => {
  const announced = replyOf('First I will look at the tests.');
  expect(meaningOf(coder, announced, false)).toMatchObject({
    means: 'nothing valid',
    correction: expect.stringContaining('Nothing is changed yet'),
  });
  expect(meaningOf(coder, announced, true)).toMatchObject({ means: 'result' });
  // Who says so by calling finish is believed.
  expect(meaningOf(coder, replyOf([finish()]), false)).toMatchObject({ means: 'result' });
  expect(meaningOf(coder, replyOf(json({ summary: 'Nothing to do.' })), false)).toMatchObject({
    means: 'result',
  });
});

test.each([
  ['a text', 'The comparison is'],
  ['a finish', [broken('finish', '{"summary": "The com')]],
])('reply: %s that was cut off is no end of the work, and the model is told of the cut', (_name, said) => {
  expect(meaningOf(coder, replyOf(said, { finish: 'length' }), true)).toEqual({
    means: 'nothing valid',
    correction: expect.stringContaining('cut off at its length limit'),
  });
});

test('reply: other calls come before a finish beside them', () => {
  const calls = [call('edit-file'), call('read-file')];
  expect(meaningOf(coder, replyOf([finish(), ...calls]), true)).toEqual({ means: 'tools', calls });
});

test('reply: what a model gave stays as it was given', () => {
  const given = { ...approval, findings: [{ ...finding, severity: 'advice', file: null }] };
  const before = structuredClone(given);
  meaningOf(reviewer, replyOf([finish(given)]), true);
  expect(given).toEqual(before);
});

test.each([
  ['plain text', 'so it is', 'so it is'],
  ['thinking in front', '<think>a\nb</think>\nso', 'so'],
  ['thinking without its opening tag', 'a b</think> so', 'so'],
  ['thinking cut off', 'so <think>a b', 'so'],
])('text: %s', (_name, text, said) => {
  expect(spoken(text)).toBe(said);
});

test('text: no object is found in an array, a broken object or prose', () => {
  expect(objectsIn('[1, 2]')).toEqual([]);
  expect(objectsIn('{"a": ')).toEqual([]);
  expect(objectsIn('set { a } to } or {')).toEqual([]);
});
