import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { startAnthropicServer } from '../../tests/anthropic-server.ts';
import type { AnthropicServer, Behave, Play } from '../../tests/anthropic-server.ts';
import { backendContract } from '../../tests/backend-contract.ts';
import type { Backend, ModelDefinition, ModelRequest } from '../backend.ts';
import { anthropic } from './anthropic.ts';

const key = 'sk-ant-canary-5d41402abc4b2a76b9719d911017c592';
const models = ['claude-small', 'claude-large', 'claude-old'];

function definitionAt(url: string, more: Partial<ModelDefinition> = {}): ModelDefinition {
  return {
    name: 'test',
    backend: 'anthropic',
    pool: 'test',
    model: 'test-model',
    url,
    contextTokens: 8000,
    maxTokens: 500,
    tags: [],
    timeoutMs: 20_000,
    ...more,
  };
}

backendContract('anthropic', async () => {
  let behaviours: Play[] = [{ kind: 'reply', content: 'ready' }];
  const behave: Behave = (_, index) => behaviours[Math.min(index, behaviours.length - 1)]!;
  const server = await startAnthropicServer({ models, key, behave });
  const freeUrl = `http://127.0.0.1:${await freePort()}`;
  const keyed = (url: string, more: Partial<ModelDefinition> = {}) =>
    definitionAt(url, { model: 'claude-small', apiKeyVariable: 'TEST_MODEL_KEY', ...more });
  return {
    model: 'claude-small',
    models,
    apiKeyVariable: 'TEST_MODEL_KEY',
    key,
    play: (...more) => (behaviours = more),
    backend: ({ timeoutMs = 20_000, idleTimeoutMs } = {}) =>
      anthropic(keyed(server.url, { timeoutMs }), { TEST_MODEL_KEY: key }, { idleTimeoutMs }),
    backendWithWrongKey: () => anthropic(keyed(server.url), { TEST_MODEL_KEY: `${key}-old` }),
    backendWithoutServer: () => ({
      backend: anthropic(keyed(freeUrl), { TEST_MODEL_KEY: key }),
      address: freeUrl,
    }),
    calls: () => ({ count: server.requests.length, lastAborted: server.requests.at(-1)?.aborted ?? false }),
    schemaAsked: () => server.requests.at(-1)?.body.output_config?.format?.schema,
    parametersAsked() {
      const { temperature, top_p: topP, max_tokens: maxTokens } = server.requests.at(-1)!.body;
      return { temperature, topP, maxTokens };
    },
    requestIds: () => server.requests.map((_, index) => `req_${index}`),
    stop: () => server.close(),
  };
});

const servers: AnthropicServer[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(
  play: Play | Behave,
  more: Partial<Parameters<typeof startAnthropicServer>[0]> = {},
): Promise<AnthropicServer> {
  const behave = typeof play === 'function' ? play : () => play;
  const server = await startAnthropicServer({ behave, ...more });
  servers.push(server);
  return server;
}

function ask(backend: Backend, more: Partial<ModelRequest> = {}, onText: (text: string) => void = () => {}) {
  const request: ModelRequest = {
    model: 'test-model',
    role: 'coder',
    maxTokens: 300,
    messages: [{ role: 'user', content: 'Hello' }],
    tools: [],
    ...more,
  };
  return backend.complete(request, { signal: new AbortController().signal, onText });
}

const readFile = { name: 'read-file', description: 'Reads', arguments: { type: 'object' } };
const mark = { cache_control: { type: 'ephemeral' } };

test('anthropic: what is sent is what the API documents, its stable beginning marked for the cache', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' });
  await ask(anthropic(definitionAt(server.url), {}), {
    temperature: 1.4,
    messages: [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U' },
      { role: 'user', content: 'and more' },
      {
        role: 'assistant',
        content: 'I look.',
        toolCalls: [
          { id: 'a', name: 'read-file', arguments: { path: 'x' } },
          { id: 'call_b.ts', name: 'read-file', arguments: null, invalidArguments: '{"pa' },
        ],
      },
      { role: 'tool', toolCallId: 'a', content: 'text', status: 'ok' },
      { role: 'tool', toolCallId: 'call_b.ts', content: 'broken', status: 'failed' },
      { role: 'user', content: 'Go on.' },
    ],
    tools: [readFile],
  });
  const { body, headers } = server.requests[0]!;
  // The version of the API in which there is a temperature.
  expect(headers['anthropic-version']).toBe('2023-06-01');
  expect(headers['x-api-key']).toBeUndefined();
  expect(body).toEqual({
    model: 'test-model',
    max_tokens: 300,
    stream: true,
    temperature: 1,
    system: [{ type: 'text', text: 'S', ...mark }],
    tools: [{ name: 'read-file', description: 'Reads', input_schema: { type: 'object' } }],
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'U' },
          { type: 'text', text: 'and more' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'I look.' },
          { type: 'tool_use', id: 'a', name: 'read-file', input: { path: 'x' } },
          { type: 'tool_use', id: 'call_b_ts', name: 'read-file', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: 'text' },
          { type: 'tool_result', tool_use_id: 'call_b_ts', content: 'broken', is_error: true },
          { type: 'text', text: 'Go on.', ...mark },
        ],
      },
    ],
  });
});

test('anthropic: names that the API does not take are sent as others, no two alike, and come back as they were', async () => {
  const server = await serve((request) => ({
    kind: 'reply',
    toolCalls: request.tools!.map((tool) => ({ name: tool.name, arguments: {} })),
  }));
  const names = ['files.read', 'files/read', 'files_read', 'x'.repeat(80)];
  const reply = await ask(anthropic(definitionAt(server.url), {}), {
    tools: names.map((name) => ({ ...readFile, name })),
  });
  expect(reply.toolCalls.map((call) => call.name)).toEqual(names);
  expect(new Set(server.requests[0]!.body.tools!.map((tool) => tool.name)).size).toBe(4);
});

test('anthropic: calls of earlier turns are understood where no tools are offered any more', async () => {
  const server = await serve({ kind: 'reply', content: 'done' });
  await ask(anthropic(definitionAt(server.url), {}), {
    messages: [
      { role: 'user', content: 'U' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'read-file', arguments: {} }] },
      { role: 'tool', toolCallId: 'a', content: '', status: 'ok' },
    ],
  });
  expect(server.requests[0]!.body).toMatchObject({
    tools: [{ name: 'read-file' }],
    tool_choice: { type: 'none' },
  });
});

test('anthropic: tokens read from the cache and written to it are counted as read', async () => {
  const usage = {
    input_tokens: 7,
    cache_creation_input_tokens: 200,
    cache_read_input_tokens: 3000,
    output_tokens: 1,
  };
  const server = await serve({
    kind: 'events',
    events: [
      { type: 'message_start', message: { id: 'm', usage } },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: 'Y' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'es.' } },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } },
      { type: 'message_stop' },
    ],
  });
  expect(await ask(anthropic(definitionAt(server.url), {}))).toMatchObject({
    content: 'Yes.',
    usage: {
      inputTokens: 3207,
      cachedInputTokens: 3000,
      cacheWriteTokens: 200,
      outputTokens: 9,
      estimated: false,
    },
  });
});

test('anthropic: pings and thinking are signs of life, unknown events no trouble', async () => {
  const thinking = (text: string) => ({
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'thinking_delta', thinking: text },
  });
  const server = await serve({
    kind: 'events',
    pauseMs: 250,
    events: [
      { type: 'message_start', message: { id: 'm', usage: { input_tokens: 1, output_tokens: 1 } } },
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '' } },
      { type: 'ping' },
      { type: 'ping' },
      thinking('Hmm'),
      { type: 'ping' },
      { type: 'something_new', value: 1 },
      { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'Yes.' } },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } },
    ],
  });
  const texts: string[] = [];
  // A silence longer than this would end the call; all events together take longer.
  const backend = anthropic(definitionAt(server.url), {}, { idleTimeoutMs: 1500 });
  expect((await ask(backend, {}, (text) => texts.push(text))).content).toBe('Yes.');
  expect(texts).toEqual(['Yes.']);
});

test.each([
  ['end_turn', { finish: 'stop' }],
  ['stop_sequence', { finish: 'stop' }],
  ['max_tokens', { finish: 'length' }],
  ['model_context_window_exceeded', { finish: 'length' }],
  ['something_new', { finish: 'stop' }],
])('anthropic: a reply that stopped for %s is %j', async (reason, expected) => {
  const server = await serve({ kind: 'events', events: stopped(reason) });
  expect(await ask(anthropic(definitionAt(server.url), {}))).toMatchObject({ content: 'Well', ...expected });
});

test.each([
  ['refusal', 'permanent', /test-model declined to answer \(cyber: It may help.*\); .*fallback/],
  ['pause_turn', 'retryable', /paused/],
])('anthropic: a reply that stopped for %s is a %s error', async (reason, kind, message) => {
  const details = { type: 'refusal', category: 'cyber', explanation: 'It may help an attack.' };
  const server = await serve({
    kind: 'events',
    events: stopped(reason, reason === 'refusal' ? details : null),
  });
  await expect(ask(anthropic(definitionAt(server.url), {}))).rejects.toMatchObject({
    kind,
    message: expect.stringMatching(message),
    requestId: 'req_0',
  });
});

function stopped(reason: string, details: object | null = null) {
  return [
    { type: 'message_start', message: { id: 'm', usage: { input_tokens: 1, output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: 'Well' } },
    {
      type: 'message_delta',
      delta: { stop_reason: reason, stop_details: details },
      usage: { output_tokens: 2 },
    },
    { type: 'message_stop' },
  ];
}

test('anthropic: a temperature that a model refuses is left out, then and from then on', async () => {
  const server = await serve((request) =>
    request.temperature === undefined
      ? { kind: 'reply', content: 'hello' }
      : { kind: 'error', status: 400, message: '`temperature` is deprecated for this model.' },
  );
  const backend = anthropic(definitionAt(server.url), {});
  await ask(backend, { temperature: 0.2 });
  expect((await ask(backend, { temperature: 0.2 })).content).toBe('hello');
  const versions = server.requests.map(({ headers }) => headers['anthropic-version']);
  expect(versions).toEqual(['2023-06-01', '2026-10-21', '2026-10-21']);
});

test.each([
  ['`temperature` and `top_p` cannot both be specified for this model.', { temperature: 0.2 }],
  ['anthropic-version: "2023-06-01" is not supported for this model', {}],
])('anthropic: of temperature and top_p, "%s" leaves %j', async (message, left) => {
  const server = await serve(({ top_p: topP }) =>
    topP === undefined ? { kind: 'reply', content: 'hello' } : { kind: 'error', status: 400, message },
  );
  const backend = anthropic(definitionAt(server.url), {});
  await ask(backend, { temperature: 0.2, topP: 0.9 });
  await ask(backend, { temperature: 0.2, topP: 0.9 });
  const asked = server.requests.map(({ body: { temperature, top_p: topP } }) => ({ temperature, topP }));
  expect(asked).toEqual([{ temperature: 0.2, topP: 0.9 }, left, left]);
});

test('anthropic: a model that wants its thoughts back in a later turn is asked not to think', async () => {
  const message =
    'messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.';
  const server = await serve((request) =>
    request.messages.length > 1 && request.thinking?.type !== 'disabled'
      ? { kind: 'error', status: 400, message }
      : { kind: 'reply', content: 'hello' },
  );
  const backend = anthropic(definitionAt(server.url), {});
  await ask(backend);
  expect(server.requests[0]!.body).not.toHaveProperty('thinking');
  const messages: ModelRequest['messages'] = [
    { role: 'user', content: 'U' },
    { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'read-file', arguments: {} }] },
    { role: 'tool', toolCallId: 'a', content: 'text', status: 'ok' },
  ];
  expect((await ask(backend, { messages, tools: [readFile] })).content).toBe('hello');
  // Where it may not be switched off, its own words are told.
  const always = await serve({
    kind: 'error',
    status: 400,
    message: 'thinking.type.disabled is not supported',
  });
  await expect(ask(anthropic(definitionAt(always.url), {}))).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringContaining('thinking.type.disabled is not supported'),
  });
  expect(always.requests).toHaveLength(2);
});

test('anthropic: a schema beyond structured outputs is sent simplified, and to a model without them in words', async () => {
  const schema = {
    name: 'count',
    schema: { type: 'object', properties: { count: { type: 'integer', minimum: 1 } }, required: ['count'] },
  };
  let hasOutputs = true;
  const server = await serve(({ output_config: output }) => {
    const sent = output?.format?.schema;
    if (sent && !hasOutputs)
      return { kind: 'error', status: 400, message: 'output_config.format: not supported by this model' };
    if (sent && sent['additionalProperties'] !== false) {
      const message =
        "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false";
      return { kind: 'error', status: 400, message };
    }
    return { kind: 'reply', content: '{"count": 2}' };
  });
  const backend = anthropic(definitionAt(server.url), {});
  expect((await ask(backend, { schema })).content).toBe('{"count": 2}');
  expect(server.requests.at(-1)!.body.output_config?.format?.schema).toMatchObject({
    additionalProperties: false,
    properties: { count: { type: 'integer', description: expect.stringContaining('minimum: 1') } },
  });
  hasOutputs = false;
  await ask(backend, { schema });
  const { body } = server.requests.at(-1)!;
  expect(body).not.toHaveProperty('output_config');
  expect(JSON.stringify(body.system)).toContain('minimum');
  // What was found out is remembered: no more tries.
  const before = server.requests.length;
  await ask(backend, { schema });
  expect(server.requests).toHaveLength(before + 1);
});

test.each([
  {
    it: 'an overloaded API',
    play: { kind: 'error', status: 529, message: 'Overloaded' },
    expected: { kind: 'retryable', status: 529, message: /is overloaded \(529\).*req_0/ },
  },
  {
    it: 'an overload in the middle of a reply',
    play: {
      kind: 'events',
      events: [{ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }],
    },
    expected: { kind: 'retryable', message: /broke off its reply: Overloaded/ },
  },
  {
    it: 'a request of too many bytes',
    play: { kind: 'error', status: 413, message: 'Request exceeds the maximum size' },
    expected: { kind: 'permanent', status: 413, message: /more bytes than/ },
  },
  {
    it: 'a prompt and reply that are too long together',
    play: {
      kind: 'error',
      status: 400,
      message: 'input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000',
    },
    expected: { kind: 'permanent', status: 400, message: /larger than the context of test-model/ },
  },
  {
    it: 'an account without credit',
    play: {
      kind: 'error',
      status: 400,
      message: 'Your credit balance is too low to access the Anthropic API.',
    },
    expected: { kind: 'permanent', message: /no quota left.*add credit/ },
  },
  {
    it: 'a web page instead of the API',
    play: { kind: 'raw', status: 200, contentType: 'text/html', body: '<html>' },
    expected: { kind: 'permanent', message: /web page/ },
  },
  {
    it: 'a whole reply instead of a stream',
    play: { kind: 'raw', status: 200, contentType: 'application/json', body: '{"content": []}' },
    expected: { kind: 'retryable', message: /in one piece/ },
  },
  {
    it: 'a page of a gateway whose server is down',
    play: { kind: 'raw', status: 502, contentType: 'text/html', body: '<html>Bad gateway</html>' },
    expected: { kind: 'retryable', status: 502, message: /answered 502/ },
  },
] satisfies { it: string; play: Play; expected: { kind: string; status?: number; message: RegExp } }[])(
  'anthropic: $it is $expected.kind',
  async ({ play, expected }) => {
    const server = await serve(play);
    await expect(ask(anthropic(definitionAt(server.url), {}))).rejects.toMatchObject({
      ...expected,
      message: expect.stringMatching(expected.message),
      requestId: 'req_0',
    });
  },
);

test('anthropic: a context larger than the model has is refused by the check, with both numbers', async () => {
  const server = await serve({ kind: 'reply' }, { maxInputTokens: 4096 });
  await expect(
    anthropic(definitionAt(server.url), {}).check('test-model', AbortSignal.timeout(20_000)),
  ).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(/8000 tokens.* has 4096.*4096 or less/),
  });
});

test("anthropic: nothing of the process's environment reaches a server that was not given it", async () => {
  for (const name of ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN']) vi.stubEnv(name, key);
  vi.stubEnv('ANTHROPIC_CUSTOM_HEADERS', `x-secret: ${key}`);
  vi.stubEnv('ANTHROPIC_BASE_URL', 'http://127.0.0.1:1');
  const server = await serve({ kind: 'reply', content: 'hello' });
  await ask(anthropic(definitionAt(server.url), {}));
  expect(JSON.stringify(server.requests[0]!.headers)).not.toContain(key);
});

test('anthropic: a root that is not the API is told by its 404; one that ends in /v1 is the same root', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' });
  await expect(ask(anthropic(definitionAt(`${server.url}/other`), {}))).rejects.toMatchObject({
    kind: 'permanent',
    mend: expect.stringContaining("API's root"),
  });
  expect((await ask(anthropic(definitionAt(`${server.url}/v1`), {}))).content).toBe('hello');
});

test('anthropic: a url that is none, and a key variable that is not set, are refused at once', () => {
  expect(() => anthropic(definitionAt('not a url'), {})).toThrow(
    /no valid url.*https:\/\/api\.anthropic\.com/,
  );
  expect(() =>
    anthropic(definitionAt('http://127.0.0.1:1', { apiKeyVariable: 'TEST_MODEL_KEY' }), {}),
  ).toThrow(/variable TEST_MODEL_KEY is not set/);
});

/** A port that was free a moment ago, so that nothing listens there. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
