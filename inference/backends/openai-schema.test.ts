import { afterEach, expect, test } from 'vitest';
import { definitionAt, startOpenAiServer } from '../../tests/openai-server.ts';
import type { Behave, ChatRequest, OpenAiServer } from '../../tests/openai-server.ts';
import type { ModelRequest } from '../backend.ts';
import { openai } from './openai.ts';
import { bareJson, firstWay, schemaName } from './openai-schema.ts';

const closed = {
  type: 'object',
  properties: { verdict: { type: 'string' } },
  required: ['verdict'],
  additionalProperties: false,
};
const open = { type: 'object', properties: { verdict: { type: 'string' } } };

test.each([
  ['every property required and no other allowed', closed, 'strict'],
  ['an optional property', { ...closed, required: [] }, 'loose'],
  ['other properties', open, 'loose'],
  ['any object', { type: 'object' }, 'loose'],
  [
    'an open object within an array',
    { ...closed, properties: { verdict: { type: 'array', items: open } } },
    'loose',
  ],
  ['a closed object within an array', { type: 'array', items: closed }, 'strict'],
  ['alternatives, one of them open', { anyOf: [closed, open] }, 'loose'],
  [
    'a property that is named as a keyword is',
    { ...closed, properties: { properties: { type: 'string' } }, required: ['properties'] },
    'strict',
  ],
])('openai schema: %s is asked for as it can be', (_, schema, way) => {
  expect(firstWay(schema)).toBe(way);
});

test('openai schema: a name has only what the API takes', () => {
  expect(schemaName('review verdict/2')).toBe('review_verdict_2');
  expect(schemaName('x'.repeat(99))).toHaveLength(64);
  expect(schemaName('')).toBe('reply');
});

test.each([
  '{"a":1}',
  '```json\n{"a":1}\n```',
  '```\n{"a":1}\n```',
  '<think>so\nso</think>\n```json\n{"a":1}```',
  ' {"a":1}\n',
])('openai schema: %j is bare JSON afterwards', (content) => expect(bareJson(content)).toBe('{"a":1}'));

const servers: OpenAiServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function subject(behave: Behave) {
  const server = await startOpenAiServer({ behave });
  servers.push(server);
  const backend = openai(definitionAt(server.url), {});
  const ask = (schema: Record<string, unknown>, messages: ModelRequest['messages']) =>
    backend.complete(
      {
        model: 'test-model',
        role: 'reviewer',
        maxTokens: 99,
        messages,
        tools: [],
        schema: { name: 'verdict', schema },
      },
      { signal: new AbortController().signal, onText: () => {} },
    );
  return { server, ask, sent: () => server.requests.map(({ body }) => body) };
}

const user = { role: 'user' as const, content: 'Judge.' };
const formatOf = (body: ChatRequest) => body.response_format?.json_schema;

test('openai schema: one that strict mode does not take is asked for loosely, and from then on', async () => {
  const { ask, sent } = await subject((body) => {
    const message = "Invalid schema for response_format 'verdict': 'pattern' is not permitted.";
    return formatOf(body)?.strict
      ? { kind: 'error', status: 400, message, param: 'response_format' }
      : { kind: 'reply', content: '{"verdict":"approve"}' };
  });
  await ask(closed, [user]);
  await ask(closed, [user]);
  expect(sent().map((body) => formatOf(body)?.strict)).toEqual([true, false, false]);
  // Another schema is not to blame.
  await ask({ ...closed, title: 'other' }, [user]);
  expect(sent().map((body) => formatOf(body)?.strict)).toEqual([true, false, false, true, false]);
});

test.each([
  [400, 'This response_format type is unavailable now'],
  [400, "litellm.UnsupportedParamsError: m does not support parameters: ['response_format']"],
  [422, 'response_format: Extra inputs are not permitted'],
  [400, 'Cannot use custom grammar constraints with tools.'],
])('openai schema: a server that answers %i %s is asked in words', async (status, message) => {
  const { ask, sent } = await subject((body) =>
    body.response_format
      ? { kind: 'error', status, message }
      : { kind: 'reply', content: '```json\n{"verdict":"approve"}\n```' },
  );
  expect((await ask(closed, [{ role: 'system', content: 'S' }, user])).content).toBe('{"verdict":"approve"}');
  const last = sent().at(-1)!;
  expect(last.messages).toHaveLength(2);
  expect(last.messages[0]).toMatchObject({ role: 'system', content: expect.stringMatching(/^S\n\n.*JSON/s) });
  expect(last.messages[0]!.content).toContain(JSON.stringify(closed));
  const before = sent().length;
  await ask(closed, [user]);
  expect(sent().length).toBe(before + 1);
  expect(
    sent()
      .at(-1)!
      .messages.map(({ role }) => role),
  ).toEqual(['system', 'user']);
});

test('openai schema: another refusal is no reason to give the schema up', async () => {
  const { ask, sent } = await subject(() => ({ kind: 'error', status: 400, message: 'too many images' }));
  await expect(ask(closed, [user])).rejects.toMatchObject({ kind: 'permanent', status: 400 });
  expect(sent()).toHaveLength(1);
});
