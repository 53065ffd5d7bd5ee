import { expect, test } from 'vitest';
import { mostCalls, readCalls } from './tool-calls.ts';

const call = (text: string) => `<tool_call>\n${text}\n</tool_call>`;

test('tool calls: text before them is the content, and all are taken in order', () => {
  const text = `I look.\n${call('{"name": "a", "arguments": {"x": "}</tool_call>{\\""}}')}\n${call('{"name":"b"}')}`;
  expect(readCalls(text)).toEqual({
    content: 'I look.',
    calls: [
      { name: 'a', arguments: { x: '}</tool_call>{"' } },
      { name: 'b', arguments: {} },
    ],
    isCut: false,
  });
});

test('tool calls: text without any is content alone', () => {
  expect(readCalls('{"name": "a"}')).toEqual({ content: '{"name": "a"}', calls: [], isCut: false });
});

test.each([
  '<tool_call>',
  '<tool_call>{"name": "a", "arguments": {"x": 1',
  '<tool_call>{"name": "a", "arguments": {"x": "}}',
])('tool calls: %s is cut off, and none', (text) => {
  expect(readCalls(`${call('{"name":"b"}')}${text}`)).toMatchObject({ calls: [{ name: 'b' }], isCut: true });
});

test.each([
  ['{"name": a}', /no JSON/],
  ['{"arguments": {}}', /has no name/],
  ['{"name": "a", "arguments": [1]}', /arguments of a are no object/],
])('tool calls: %s is a problem, and named', (text, says) => {
  expect(readCalls(call(text)).problem).toMatch(says);
});

test('tool calls: no more than the bound are taken', () => {
  const text = Array.from({ length: mostCalls + 5 }, (_, place) => call(`{"name":"t${place}"}`)).join('');
  expect(readCalls(text).calls).toHaveLength(mostCalls);
});
