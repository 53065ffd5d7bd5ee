import { afterEach, expect, test } from 'vitest';
import type { Behaviour } from '../../tests/model-behaviour.ts';
import { startOpenAiServer, definitionAt } from '../../tests/openai-server.ts';
import type { OpenAiServer } from '../../tests/openai-server.ts';
import type { ModelDefinition, ModelRequest } from '../backend.ts';
import { apiOf } from './openai-apis.ts';
import { openai } from './openai.ts';

const openAi = 'https://api.openai.com/v1';

test.each([
  ['gpt-5-codex', openAi, undefined, 'responses'],
  ['o3-pro-2025-06-10', openAi, undefined, 'responses'],
  ['gpt-5.1-codex', 'https://eu.api.openai.com/v1', undefined, 'responses'],
  ['gpt-5.1', openAi, undefined, 'chat'],
  ['gpt-5.1', openAi, 'responses', 'responses'],
  ['gpt-5-codex', openAi, 'chat', 'chat'],
  // The name alone says nothing about another server.
  ['gpt-5-codex', 'http://127.0.0.1:8000/v1', undefined, 'chat'],
  ['gpt-5-codex', 'https://api.openai.com.example/v1', undefined, 'chat'],
] as const)('openai responses: %s at %s with api %s is asked by %s', (model, address, api, expected) => {
  expect(apiOf({ model, ...(api && { api }) }, address)).toBe(expected);
});

const servers: OpenAiServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(responses: Behaviour, chat: Behaviour = { kind: 'error', status: 500 }) {
  const server = await startOpenAiServer({ behave: () => chat, behaveAsResponses: () => responses });
  servers.push(server);
  return server;
}

function backendAt(url: string, more: Partial<ModelDefinition> = {}) {
  return openai(
    {
      ...definitionAt(url),
      ...more,
    },
    {},
  );
}

const ask = (backend: ReturnType<typeof backendAt>, more: Partial<ModelRequest> = {}, texts: string[] = []) =>
  backend.complete(
    {
      model: 'test-model',
      role: 'coder',
      maxTokens: 300,
      messages: [{ role: 'user', content: 'Hello' }],
      tools: [],
      ...more,
    },
    { signal: new AbortController().signal, onText: (text) => texts.push(text) },
  );

test('openai responses: what is sent is what the API documents', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' });
  await ask(backendAt(server.url, { api: 'responses' }), {
    temperature: 0.2,
    topP: 0.9,
    maxTokens: 1,
    messages: [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U' },
      {
        role: 'assistant',
        content: 'I look.',
        toolCalls: [
          { id: 'a', name: 'read-file', arguments: { path: 'x' } },
          { id: 'b', name: 'read-file', arguments: null, invalidArguments: '{"pa' },
        ],
      },
      { role: 'tool', toolCallId: 'a', content: 'text', status: 'ok' },
      { role: 'tool', toolCallId: 'b', content: 'broken', status: 'failed' },
    ],
    tools: [{ name: 'read-file', description: 'Reads', arguments: { type: 'object' } }],
  });
  expect(server.responsesRequests[0]!.body).toEqual({
    model: 'test-model',
    stream: true,
    store: false,
    // The least that the API takes.
    max_output_tokens: 16,
    temperature: 0.2,
    top_p: 0.9,
    input: [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U' },
      { role: 'assistant', content: 'I look.' },
      { type: 'function_call', call_id: 'a', name: 'read-file', arguments: '{"path":"x"}' },
      { type: 'function_call', call_id: 'b', name: 'read-file', arguments: '{}' },
      { type: 'function_call_output', call_id: 'a', output: 'text' },
      { type: 'function_call_output', call_id: 'b', output: 'broken' },
    ],
    tools: [
      {
        type: 'function',
        name: 'read-file',
        description: 'Reads',
        parameters: { type: 'object' },
        strict: false,
      },
    ],
  });
});

const onlyThere: Behaviour = {
  kind: 'error',
  status: 404,
  message: 'This model is only supported in v1/responses and not in v1/chat/completions.',
};

test('openai responses: a model that only this API serves is found out by one refusal', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' }, onlyThere);
  const backend = backendAt(server.url);
  expect((await ask(backend)).content).toBe('hello');
  await ask(backend);
  expect([server.requests.length, server.responsesRequests.length]).toEqual([1, 2]);
});

test('openai responses: an entry that says chat is taken at its word, and told the mend', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' }, onlyThere);
  await expect(ask(backendAt(server.url, { api: 'chat' }))).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(/only supported in v1\/responses.*api: responses/),
  });
  expect(server.responsesRequests).toHaveLength(0);
});

const stream = (...events: object[]): Behaviour => ({
  kind: 'raw',
  status: 200,
  contentType: 'text/event-stream',
  body: events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''),
});
const failed = (code: string): Behaviour =>
  stream({ type: 'response.failed', response: { error: { code, message: `because ${code}` } } });

test.each([
  ['server_error', 'retryable', /broke off its reply: because/],
  ['rate_limit_exceeded', 'retryable', /broke off its reply: because/],
  ['invalid_prompt', 'permanent', /refused the request: because/],
  ['image_content_policy_violation', 'permanent', /refused the request: because/],
  ['context_length_exceeded', 'permanent', /larger than the context/],
  ['insufficient_quota', 'permanent', /no quota left/],
])('openai responses: a response that failed with %s is %s', async (code, kind, message) => {
  const server = await serve(failed(code));
  await expect(ask(backendAt(server.url, { api: 'responses' }))).rejects.toMatchObject({
    kind,
    message: expect.stringMatching(message),
    requestId: 'request-0',
  });
});

test.each([
  [
    'named',
    'event: error\ndata: {"type":"error","code":"server_error","message":"it died","param":null}\n\n',
  ],
  ['unnamed', 'data: {"type":"error","code":"server_error","message":"it died","param":null}\n\n'],
])('openai responses: an error event, %s, is retryable with its words', async (_, body) => {
  const server = await serve({ kind: 'raw', status: 200, contentType: 'text/event-stream', body });
  await expect(ask(backendAt(server.url, { api: 'responses' }))).rejects.toMatchObject({
    kind: 'retryable',
    message: expect.stringContaining('it died'),
  });
});

test('openai responses: arguments that come whole, and a refusal in words, are taken', async () => {
  const call = { type: 'function_call', id: 'f', call_id: 'c', name: 'read-file', arguments: '{"path":"a"}' };
  const server = await serve(
    stream(
      { type: 'response.refusal.delta', output_index: 0, delta: 'I would rather not.' },
      { type: 'response.output_item.done', output_index: 1, item: call },
      { type: 'response.completed', response: { usage: { input_tokens: 5, output_tokens: 6 } } },
    ),
  );
  const texts: string[] = [];
  const reply = await ask(backendAt(server.url, { api: 'responses' }), {}, texts);
  expect(texts).toEqual(['I would rather not.']);
  expect(reply).toMatchObject({
    content: 'I would rather not.',
    toolCalls: [{ id: 'c', name: 'read-file', arguments: { path: 'a' } }],
    usage: { inputTokens: 5, outputTokens: 6, estimated: false },
  });
});

test("openai responses: what the provider's filter stopped is permanent", async () => {
  const response = { incomplete_details: { reason: 'content_filter' } };
  const server = await serve(stream({ type: 'response.incomplete', response }));
  await expect(ask(backendAt(server.url, { api: 'responses' }))).rejects.toMatchObject({ kind: 'permanent' });
});
