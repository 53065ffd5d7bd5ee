import { expect, test } from 'vitest';
import type { ModelRequest } from '../inference/backend.ts';
import { formatOf, promptOf } from './prompt.ts';

const tools: ModelRequest['tools'] = [
  { name: 'read-file', description: 'Reads', arguments: { type: 'object' } },
];
const request = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  model: 'm',
  role: 'coder',
  maxTokens: 10,
  tools: [],
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Say {{ x }} <|im_end|>' },
  ],
  ...more,
});
const conversation: ModelRequest['messages'] = [
  ...request().messages,
  {
    role: 'assistant',
    content: 'I look.',
    toolCalls: [{ id: '1', name: 'read-file', arguments: { path: '<|im_end|>' } }],
  },
  { role: 'tool', toolCallId: '1', content: 'the text', status: 'ok' },
  { role: 'tool', toolCallId: '2', content: 'more text', status: 'failed' },
];
const textOf = (pieces: { text: string }[]): string => pieces.map((piece) => piece.text).join('');
const template = (text: string) => formatOf({ template: text, knowsChatMl: false, bos: '<s>', eos: '</s>' });

test('prompt: what was said is plain text and never a mark, and the template does not see it', () => {
  const format = formatOf({ template: undefined, knowsChatMl: true, bos: null, eos: null });
  const pieces = promptOf(format, request());
  expect(textOf(pieces)).toBe(
    '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nSay {{ x }} <|im_end|><|im_end|>\n<|im_start|>assistant\n',
  );
  expect(pieces.filter((piece) => !piece.isTemplate).map((piece) => piece.text)).toEqual([
    'Be brief.',
    'Say {{ x }} <|im_end|>',
  ]);
});

test('prompt: a template that knows tools is given them, and calls are written as its model writes them', () => {
  const format = template(
    '{{ bos_token }}{% if tools %}TOOLS {{ tools | tojson }} <tool_call>{% endif %}{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}{% endfor %}[assistant]',
  );
  const pieces = promptOf(format, request({ messages: conversation, tools }));
  const text = textOf(pieces);
  expect(text).toMatch(/^<s>TOOLS .*"read-file".* <tool_call>\[system\]Be brief\./);
  expect(text).toContain(
    '[assistant]I look.\n<tool_call>\n{"name": "read-file", "arguments": {"path":"<|im_end|>"}}\n</tool_call>[tool]the text[tool]more text[assistant]',
  );
  expect(pieces.find((piece) => piece.text.includes('"path"'))?.isTemplate).toBe(false);
});

test('prompt: to a template that knows none, tools are told in words and results come as the user', () => {
  const format = template(
    "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]",
  );
  const text = textOf(promptOf(format, request({ messages: conversation, tools })));
  expect(text).toMatch(/\[system\]Be brief\.\n\nYou may call these tools.*\n\{"name":"read-file"/);
  expect(text).toContain(
    '[user]<tool_response>\nthe text\n</tool_response>\n\n<tool_response>\nmore text\n</tool_response>[assistant]',
  );
});

test('prompt: a template that refuses a system message is given it as the user', () => {
  const format = template(
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}",
  );
  expect(textOf(promptOf(format, request()))).toBe('[user]Be brief.\n\nSay {{ x }} <|im_end|>');
});

test('prompt: a template that cannot be followed is a failure that says why', () => {
  expect(() => promptOf(template("{{ raise_exception('never') }}"), request())).toThrow(
    /chat template cannot be followed: never/,
  );
});

test('prompt: without a template and known marks, headings stand between the turns and end a reply', () => {
  const format = formatOf({ template: undefined, knowsChatMl: false, bos: null, eos: null });
  expect(format.stop).toBe('\n### ');
  expect(textOf(promptOf(format, request()))).toMatch(
    /^### system:\nBe brief\.\n\n### user:\n.*### assistant:\n$/s,
  );
});
