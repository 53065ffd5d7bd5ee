import { afterEach, expect, test, vi } from 'vitest';
import { backendContract } from '../../tests/backend-contract.ts';
import type { ContractSubject } from '../../tests/backend-contract.ts';
import type { Behaviour } from '../../tests/model-behaviour.ts';
import { startOpenAiServer } from '../../tests/openai-server.ts';
import type { Behave, OpenAiServer } from '../../tests/openai-server.ts';
import { freePort } from '../../tests/terminal.ts';
import type { Backend, ModelDefinition, ModelRequest } from '../backend.ts';
import { openai } from './openai.ts';

const key = 'sk-canary-5d41402abc4b2a76b9719d911017c592';
const models = ['coder-small', 'coder-large', 'writer'];

function definitionAt(url: string, more: Partial<ModelDefinition> = {}): ModelDefinition {
  return {
    name: 'test',
    backend: 'openai',
    pool: 'test',
    model: 'coder-small',
    url,
    contextTokens: 8000,
    maxTokens: 500,
    tags: [],
    timeoutMs: 20_000,
    ...more,
  };
}

const subjectOf = (api: 'chat' | 'responses') => async (): Promise<ContractSubject> => {
  let behaviours: Behaviour[] = [{ kind: 'reply', content: 'ready' }];
  const behave = (_: unknown, index: number) => behaviours[Math.min(index, behaviours.length - 1)]!;
  const server = await startOpenAiServer({ models, key, behave, behaveAsResponses: behave });
  const freeUrl = `http://127.0.0.1:${await freePort()}/v1`;
  const keyed = (url: string, more: Partial<ModelDefinition> = {}) =>
    definitionAt(url, { apiKeyVariable: 'TEST_MODEL_KEY', api, ...more });
  const requests = api === 'chat' ? server.requests : server.responsesRequests;
  return {
    model: 'coder-small',
    models,
    apiKeyVariable: 'TEST_MODEL_KEY',
    key,
    play: (...more) => (behaviours = more),
    backend: ({ timeoutMs = 20_000, idleTimeoutMs } = {}) =>
      openai(keyed(server.url, { timeoutMs }), { TEST_MODEL_KEY: key }, { idleTimeoutMs }),
    backendWithWrongKey: () => openai(keyed(server.url), { TEST_MODEL_KEY: `${key}-old` }),
    backendWithoutServer: () => ({
      backend: openai(keyed(freeUrl), { TEST_MODEL_KEY: key }),
      address: freeUrl,
    }),
    calls: () => ({ count: requests.length, lastAborted: requests.at(-1)?.aborted ?? false }),
    schemaAsked: () =>
      api === 'chat'
        ? server.requests.at(-1)?.body.response_format?.json_schema?.schema
        : server.responsesRequests.at(-1)?.body.text?.format?.schema,
    parametersAsked() {
      const { temperature, top_p: topP } = requests.at(-1)!.body;
      const maxTokens =
        api === 'chat'
          ? server.requests.at(-1)?.body.max_tokens
          : server.responsesRequests.at(-1)?.body.max_output_tokens;
      return { temperature, topP, maxTokens };
    },
    requestIds: () => requests.map((_, index) => `request-${index}`),
    stop: () => server.close(),
  };
};

backendContract('openai', subjectOf('chat'));
backendContract('openai (responses)', subjectOf('responses'));

const servers: OpenAiServer[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(behave: Behave): Promise<OpenAiServer> {
  const server = await startOpenAiServer({ behave });
  servers.push(server);
  return server;
}

function ask(backend: Backend, more: Partial<ModelRequest> = {}) {
  const request: ModelRequest = {
    model: 'test-model',
    role: 'coder',
    maxTokens: 300,
    messages: [{ role: 'user', content: 'Hello' }],
    tools: [],
    ...more,
  };
  return backend.complete(request, { signal: new AbortController().signal, onText: () => {} });
}

test('openai: a key variable that is not set is refused before any call, by its name', () => {
  const definition = definitionAt('http://127.0.0.1:1/v1', { apiKeyVariable: 'TEST_MODEL_KEY' });
  for (const environment of [{}, { TEST_MODEL_KEY: ' ' }]) {
    expect(() => openai(definition, environment)).toThrow(
      /variable TEST_MODEL_KEY is not set; put the key into/,
    );
  }
});

test.each([undefined, 'not a url'])('openai: the url %s is refused with an example', (url) => {
  expect(() => openai({ ...definitionAt(''), url }, {})).toThrow(/url.*http:\/\/127\.0\.0\.1:11434\/v1/);
});

test("openai: nothing of the process's environment reaches a server that was not given it", async () => {
  vi.stubEnv('OPENAI_API_KEY', key);
  vi.stubEnv('OPENAI_ORG_ID', key);
  vi.stubEnv('OPENAI_PROJECT_ID', key);
  vi.stubEnv('OPENAI_CUSTOM_HEADERS', `x-secret: ${key}`);
  vi.stubEnv('OPENAI_BASE_URL', 'http://127.0.0.1:1/v1');
  const server = await serve(() => ({ kind: 'reply', content: 'hello' }));
  await ask(openai(definitionAt(server.url), {}));
  expect(JSON.stringify(server.requests[0]!.headers)).not.toContain(key);
  expect(server.requests[0]!.headers.authorization).toBeUndefined();
});

test('openai: what is sent is what the API documents', async () => {
  const server = await serve(() => ({ kind: 'reply', content: 'hello' }));
  const reply = await ask(openai(definitionAt(server.url), {}), {
    temperature: 0.2,
    messages: [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U' },
      {
        role: 'assistant',
        content: '',
        toolCalls: [
          { id: 'a', name: 'read-file', arguments: { path: 'x' } },
          { id: 'b', name: 'read-file', arguments: null, invalidArguments: '{"pa' },
        ],
      },
      { role: 'tool', toolCallId: 'a', content: 'text', status: 'ok' },
      { role: 'tool', toolCallId: 'b', content: 'broken', status: 'failed' },
      { role: 'assistant', content: 'Done.', toolCalls: [] },
    ],
    tools: [{ name: 'read-file', description: 'Reads', arguments: { type: 'object' } }],
  });
  expect(reply.requestId).toBe('request-0');
  expect(server.requests[0]!.body).toEqual({
    model: 'test-model',
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: 300,
    temperature: 0.2,
    messages: [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'read-file', arguments: '{"path":"x"}' } },
          { id: 'b', type: 'function', function: { name: 'read-file', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'a', content: 'text' },
      { role: 'tool', tool_call_id: 'b', content: 'broken' },
      { role: 'assistant', content: 'Done.' },
    ],
    tools: [
      {
        type: 'function',
        function: { name: 'read-file', description: 'Reads', parameters: { type: 'object' } },
      },
    ],
  });
});

test('openai: no tools are no field, because some servers refuse an empty list', async () => {
  const server = await serve(() => ({ kind: 'reply', content: 'hello' }));
  await ask(openai(definitionAt(server.url), {}));
  expect(server.requests[0]!.body).not.toHaveProperty('tools');
});

test('openai: a parameter that the server refuses is left out or renamed, then and from then on', async () => {
  const server = await serve((request) => {
    if (request.max_tokens !== undefined) {
      const message = "Unsupported parameter: 'max_tokens' is not supported with this model.";
      return { kind: 'error', status: 400, message, param: 'max_tokens', code: 'unsupported_parameter' };
    }
    if (request.stream_options)
      return { kind: 'error', status: 422, message: 'stream_options: Extra inputs are not permitted' };
    return { kind: 'reply', content: 'hello' };
  });
  const backend = openai(definitionAt(server.url), {});
  expect((await ask(backend)).usage.estimated).toBe(true);
  await ask(backend);
  expect(server.requests).toHaveLength(4);
  expect(server.requests[3]!.body).toMatchObject({ max_completion_tokens: 300 });
});

test.each(['always-zero', 'absent'] as const)(
  'openai: parallel calls stay apart where the server sends the index %s (Ollama)',
  async (callIndex) => {
    const toolCalls = ['a.ts', 'b.ts'].map((path) => ({
      id: `id-${path}`,
      name: 'read-file',
      arguments: { path },
    }));
    const server = await serve(() => ({ kind: 'reply', toolCalls, callIndex, finish: 'stop' }));
    const reply = await ask(openai(definitionAt(server.url), {}));
    expect(reply).toMatchObject({
      finish: 'tool_calls',
      toolCalls: [
        { id: 'id-a.ts', arguments: { path: 'a.ts' } },
        { id: 'id-b.ts', arguments: { path: 'b.ts' } },
      ],
    });
  },
);

test('openai: calls that bear the same id, or one of an earlier turn, get ids of their own', async () => {
  const toolCalls = [1, 2, 3].map((n) => ({
    id: n === 3 ? 'old' : 'same',
    name: 'read-file',
    arguments: { n },
  }));
  const server = await serve(() => ({ kind: 'reply', toolCalls }));
  const reply = await ask(openai(definitionAt(server.url), {}), {
    messages: [
      { role: 'user', content: 'U' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'old', name: 'read-file', arguments: {} }] },
      { role: 'tool', toolCallId: 'old', content: '', status: 'ok' },
    ],
  });
  const ids = reply.toolCalls.map((call) => call.id);
  expect(new Set([...ids, 'old']).size).toBe(4);
  expect(reply.toolCalls.map((call) => call.arguments)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test.each([
  {
    it: 'an account without quota',
    behaviour: { kind: 'error', status: 429, code: 'insufficient_quota', message: 'You exceeded your quota' },
    expected: { kind: 'permanent', problem: /no quota left/ },
  },
  {
    it: 'a web page instead of the API',
    behaviour: { kind: 'raw', status: 200, contentType: 'text/html', body: '<html>' },
    expected: { kind: 'permanent', problem: /web page/ },
  },
  {
    it: 'a whole JSON reply instead of a stream',
    behaviour: { kind: 'raw', status: 200, contentType: 'application/json', body: '{"choices": []}' },
    expected: { kind: 'retryable', problem: /in one piece/ },
  },
  {
    it: 'a web page from a gateway whose server is down',
    behaviour: { kind: 'raw', status: 502, contentType: 'text/html', body: '<html>Bad gateway</html>' },
    expected: { kind: 'retryable', problem: /answered 502/ },
  },
  {
    it: 'an overflow noticed inside the stream',
    behaviour: { kind: 'error-in-stream', message: 'maximum context length is 10', code: 400 },
    expected: { kind: 'permanent', problem: /larger than the context/ },
  },
  {
    it: 'a model that cannot call tools',
    behaviour: {
      kind: 'error',
      status: 400,
      message: 'registry.ollama.ai/library/gemma:2b does not support tools',
    },
    expected: { kind: 'permanent', problem: /cannot call tools/ },
  },
  {
    it: 'a wrong path',
    behaviour: { kind: 'error', status: 404, message: 'not found' },
    expected: { kind: 'permanent', problem: /lists the model test-model, but answered 404/ },
  },
] satisfies { it: string; behaviour: Behaviour; expected: { kind: string; problem: RegExp } }[])(
  'openai: $it is $expected.kind',
  async ({ behaviour, expected }) => {
    const server = await serve(() => behaviour);
    await expect(ask(openai(definitionAt(server.url), {}))).rejects.toMatchObject({
      kind: expected.kind,
      problem: expect.stringMatching(expected.problem),
    });
  },
);

test.each([
  ['a key', { apiKeyVariable: 'TEST_MODEL_KEY' }, { TEST_MODEL_KEY: key }, /TEST_MODEL_KEY/, /check that/],
  ['no key', {}, {}, /wants a key/, /apiKeyVariable/],
])(
  "openai: a 401 to a request with %s repeats the server's own words, without the key",
  async (_name, more, environment, problem, mend) => {
    const server = await serve(() => ({
      kind: 'error',
      status: 401,
      message: `The project of ${key} is archived. Use Bearer ${key}x`,
    }));
    const error: unknown = await ask(openai(definitionAt(server.url, more), environment)).catch((one) => one);
    expect(error).toMatchObject({
      problem: expect.stringMatching(problem),
      mend: expect.stringMatching(mend),
    });
    expect(String(error)).toContain('is archived');
    expect(String(error)).not.toContain(key);
  },
);

test('openai: a reply that is given up leaves no connection open', async () => {
  const server = await serve(() => ({ kind: 'reply', content: 'x'.repeat(1000), pieceDelayMs: 20 }));
  const backend = openai(definitionAt(server.url), {});
  const failing = () => {
    throw new Error('the listener broke');
  };
  const request = { model: 'm', role: 'coder', maxTokens: 9, messages: [], tools: [] };
  const call = backend.complete(request, { signal: new AbortController().signal, onText: failing });
  await expect(call).rejects.toThrow('the listener broke');
  await expect.poll(() => server.requests[0]!.aborted).toBe(true);
});

test('openai: a root that is not the API is told by its 404', async () => {
  const server = await serve(() => ({ kind: 'reply' }));
  const backend = openai(definitionAt(server.url.replace('/v1', '/api')), {});
  await expect(ask(backend)).rejects.toMatchObject({
    kind: 'permanent',
    mend: expect.stringContaining('/v1'),
  });
});
