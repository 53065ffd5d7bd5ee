import { expect, test } from 'vitest';
import { readTextToolCall } from './text-tool-call.ts';

const call = '{"name": "read-file", "arguments": {"path": "a.ts"}}';
const read = { name: 'read-file', arguments: { path: 'a.ts' } };

test.each([
  { it: 'bare', content: ` ${call}\n` },
  { it: 'fenced', content: `\`\`\`json\n${call}\n\`\`\`` },
  { it: 'in Qwen tags', content: `<tool_call>\n${call}\n</tool_call>` },
  { it: 'after thinking', content: `<think>I should look.\n</think>\n\n${call}` },
  { it: 'in the words of Llama 3', content: '{"name": "read-file", "parameters": {"path": "a.ts"}}' },
  {
    it: 'with its type',
    content: '{"type": "function", "name": "read-file", "arguments": {"path": "a.ts"}}',
  },
  { it: 'with arguments as text', content: '{"name": "read-file", "arguments": "{\\"path\\": \\"a.ts\\"}"}' },
])('text tool call: $it is read', ({ content }) => {
  expect(readTextToolCall(content, ['edit-file', 'read-file'])).toEqual(read);
});

test.each([
  { it: 'an unknown tool', content: '{"name": "rm", "arguments": {}}' },
  { it: 'a call among words', content: `I call ${call}` },
  { it: 'two calls', content: `${call}\n${call}` },
  { it: 'broken JSON', content: call.slice(0, -1) },
  { it: 'no arguments', content: '{"name": "read-file"}' },
  { it: 'arguments that are no object', content: '{"name": "read-file", "arguments": ["a.ts"]}' },
  {
    it: 'a larger object that is an answer',
    content: '{"name": "read-file", "arguments": {}, "verdict": "approve"}',
  },
  { it: 'a list', content: `[${call}]` },
  { it: 'nothing', content: '' },
])('text tool call: $it is none', ({ content }) => {
  expect(readTextToolCall(content, ['edit-file', 'read-file'])).toBeUndefined();
});
