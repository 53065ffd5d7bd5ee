import { afterEach, expect, test } from 'vitest';
import { startOpenAiServer } from './openai-server.ts';
import type { Behave, ChatMessage, OpenAiServer } from './openai-server.ts';

let server: OpenAiServer;
afterEach(() => server.close());

/** Asks as any client would, without ours: events as they stand on the wire. */
async function ask(messages: ChatMessage[], more: object = {}, headers: Record<string, string> = {}) {
  const response = await fetch(`${server.url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'test-model', stream: true, messages, ...more }),
  });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

const user: ChatMessage = { role: 'user', content: 'Make the tests pass.' };

test('openai server: plays a whole session from a function of the messages', async () => {
  const behave: Behave = ({ messages }) => {
    const results = messages.filter((message) => message.role === 'tool');
    if (results.length === 0)
      return { kind: 'reply', toolCalls: [{ id: 'a', name: 'run-tests', arguments: {} }] };
    return { kind: 'reply', content: `The tests say: ${results.at(-1)?.content}` };
  };
  server = await startOpenAiServer({ behave });
  expect((await ask([user])).text).toContain('"name":"run-tests"');
  const { text } = await ask([user, { role: 'tool', tool_call_id: 'a', content: '9 of 11' }]);
  const said = [...text.matchAll(/"content":"([^"]*)"/g)].map((match) => match[1]).join('');
  expect(said).toBe('The tests say: 9 of 11');
  expect(server.requests.map((request) => request.body.messages.length)).toEqual([1, 2]);
});

test('openai server: speaks server-sent events, with usage only where it was asked for', async () => {
  server = await startOpenAiServer({ behave: () => ({ kind: 'reply', content: 'hello' }) });
  const plain = await ask([user]);
  expect(plain).toMatchObject({ status: 200, type: 'text/event-stream' });
  expect(plain.text).toMatch(/^data: \{.*"finish_reason":"stop".*\n\ndata: \[DONE\]\n\n$/s);
  expect(plain.text).not.toContain('"usage"');
  expect((await ask([user], { stream_options: { include_usage: true } })).text).toContain('"usage"');
});

test('openai server: lists its models and knows no other', async () => {
  server = await startOpenAiServer({ behave: () => ({ kind: 'reply' }), models: ['a', 'b'] });
  const list = (await (await fetch(`${server.url}/models`)).json()) as { data: { id: string }[] };
  expect(list.data.map((model) => model.id)).toEqual(['a', 'b']);
  expect(await ask([user])).toMatchObject({ status: 404, text: expect.stringContaining('model_not_found') });
});

test('openai server: wants a key only where it was told to', async () => {
  server = await startOpenAiServer({ behave: () => ({ kind: 'reply' }), key: 'k' });
  expect((await ask([user])).status).toBe(401);
  expect((await ask([user], {}, { authorization: 'Bearer k' })).status).toBe(200);
  expect(server.requests).toHaveLength(1);
});
