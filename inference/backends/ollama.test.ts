import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { backendContract } from '../../tests/backend-contract.ts';
import { overflowWords, startOllamaServer } from '../../tests/ollama-server.ts';
import type { Behave, OllamaServer, Play } from '../../tests/ollama-server.ts';
import type { Backend, ModelDefinition, ModelRequest } from '../backend.ts';
import { ollama } from './ollama.ts';

const key = 'canary-5d41402abc4b2a76b9719d911017c592';
const models = ['coder-small:latest', 'coder-large:30b', 'writer:latest'];

function definitionAt(url: string, more: Partial<ModelDefinition> = {}): ModelDefinition {
  return {
    name: 'test',
    backend: 'ollama',
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

backendContract('ollama', async () => {
  let behaviours: Play[] = [{ kind: 'reply', content: 'ready' }];
  const behave: Behave = (_, index) => behaviours[Math.min(index, behaviours.length - 1)]!;
  const server = await startOllamaServer({ models, key, behave });
  const freeUrl = `http://127.0.0.1:${await freePort()}`;
  const keyed = (url: string, more: Partial<ModelDefinition> = {}) =>
    definitionAt(url, { model: 'coder-small:latest', apiKeyVariable: 'TEST_MODEL_KEY', ...more });
  return {
    model: 'coder-small:latest',
    models,
    apiKeyVariable: 'TEST_MODEL_KEY',
    key,
    play: (...more) => (behaviours = more),
    backend: ({ timeoutMs = 20_000, idleTimeoutMs } = {}) =>
      ollama(keyed(server.url, { timeoutMs }), { TEST_MODEL_KEY: key }, { idleTimeoutMs }),
    backendWithWrongKey: () => ollama(keyed(server.url), { TEST_MODEL_KEY: `${key}-old` }),
    backendWithoutServer: () => ({
      backend: ollama(keyed(freeUrl), { TEST_MODEL_KEY: key }),
      address: freeUrl,
    }),
    calls: () => ({ count: server.requests.length, lastAborted: server.requests.at(-1)?.aborted ?? false }),
    schemaAsked: () => server.requests.at(-1)?.body.format,
    parametersAsked() {
      const { temperature, top_p: topP, num_predict: maxTokens } = server.requests.at(-1)!.body.options!;
      return { temperature, topP, maxTokens };
    },
    cannot: {
      'malformed-arguments':
        'Ollama reads the arguments of a call itself: they come as an object, or not at all',
      'request-id': 'Ollama gives its requests no ids',
      'request-id-of-failure': 'Ollama gives its requests no ids',
    },
    stop: () => server.close(),
  };
});

const servers: OllamaServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(
  play: Play | Behave,
  more: Partial<Parameters<typeof startOllamaServer>[0]> = {},
): Promise<OllamaServer> {
  const behave = typeof play === 'function' ? play : () => play;
  const server = await startOllamaServer({ behave, ...more });
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

const prompt = (characters: number): Partial<ModelRequest> => ({
  messages: [{ role: 'user', content: 'word '.repeat(characters / 5) }],
});

test('ollama: what is sent is what the API documents, with the context of the entry', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' });
  await ask(ollama(definitionAt(server.url), {}), {
    temperature: 0.2,
    messages: [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U' },
      {
        role: 'assistant',
        content: '',
        toolCalls: [
          { id: 'a', name: 'read-file', arguments: { path: 'x' } },
          { id: 'b', name: 'edit-file', arguments: null, invalidArguments: '{"pa' },
        ],
      },
      { role: 'tool', toolCallId: 'a', content: 'text', status: 'ok' },
      { role: 'tool', toolCallId: 'b', content: 'broken', status: 'failed' },
    ],
    tools: [{ name: 'read-file', description: 'Reads', arguments: { type: 'object' } }],
  });
  expect(server.requests[0]!.headers.authorization).toBeUndefined();
  expect(server.requests[0]!.body).toEqual({
    model: 'test-model',
    stream: true,
    truncate: false,
    shift: false,
    keep_alive: '30m',
    options: { num_ctx: 8000, num_predict: 300, temperature: 0.2 },
    messages: [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [
          { id: 'a', function: { index: 0, name: 'read-file', arguments: { path: 'x' } } },
          { id: 'b', function: { index: 1, name: 'edit-file', arguments: {} } },
        ],
      },
      { role: 'tool', tool_call_id: 'a', tool_name: 'read-file', content: 'text' },
      { role: 'tool', tool_call_id: 'b', tool_name: 'edit-file', content: 'broken' },
    ],
    tools: [
      {
        type: 'function',
        function: { name: 'read-file', description: 'Reads', parameters: { type: 'object' } },
      },
    ],
  });
});

test.each([
  ['-1', -1],
  ['1h', '1h'],
  ['', '30m'],
])('ollama: OLLAMA_KEEP_ALIVE=%j is sent as %j', async (OLLAMA_KEEP_ALIVE, sent) => {
  const server = await serve({ kind: 'reply', content: 'hello' });
  await ask(ollama(definitionAt(server.url), { OLLAMA_KEEP_ALIVE }));
  expect(server.requests[0]!.body.keep_alive).toBe(sent);
});

test('ollama: a root that ends in /v1, as for other clients, is the same server', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' });
  expect((await ask(ollama(definitionAt(`${server.url}/v1/`), {}))).content).toBe('hello');
});

test('ollama: model and version are looked up once a process', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' });
  const backend = ollama(definitionAt(server.url), {});
  await ask(backend);
  await ask(backend);
  expect(server.paths).toEqual(['POST /api/show', 'GET /api/version', 'POST /api/chat', 'POST /api/chat']);
});

test('ollama: a context larger than the model was made for is refused with both numbers, by calls and by the check', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' }, { contextLength: 4096 });
  const backend = ollama(definitionAt(server.url), {});
  const refused = {
    kind: 'permanent',
    message: expect.stringMatching(/8000 tokens.* made for 4096.* 4096 or less/),
  };
  await expect(ask(backend)).rejects.toMatchObject(refused);
  await expect(backend.check('test-model', AbortSignal.timeout(20_000))).rejects.toMatchObject(refused);
  await expect(backend.embed!(['x'], AbortSignal.timeout(20_000))).rejects.toMatchObject(refused);
  expect(server.requests).toHaveLength(0);
});

test('ollama: a prompt that cannot fit is refused before it is sent', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' });
  const backend = ollama(definitionAt(server.url), {});
  await expect(ask(backend, prompt(60_000))).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(/larger than the context of test-model: at least 10000 tokens.* 8000/),
  });
  expect(server.requests).toHaveLength(0);
});

test('ollama: a prompt that the server finds too long is a permanent error in its words', async () => {
  const server = await serve({
    kind: 'raw',
    status: 400,
    contentType: 'application/json',
    body: JSON.stringify({ error: overflowWords }),
  });
  await expect(ask(ollama(definitionAt(server.url), {}), prompt(30_000))).rejects.toMatchObject({
    kind: 'permanent',
    status: 400,
    problem: expect.stringContaining('larger than the context of test-model'),
  });
  const inStream = await serve({
    kind: 'error-in-stream',
    message: 'request (9100 tokens) exceeds the available context size (8000 tokens)',
  });
  await expect(ask(ollama(definitionAt(inStream.url), {}))).rejects.toMatchObject({ kind: 'permanent' });
});

test('ollama: a prompt that was cut all the same is an error, not a reply', async () => {
  // As a server does that never heard of `truncate`, but claims a newer version.
  const server = await serve({
    kind: 'reply',
    content: 'hello',
    usage: { inputTokens: 4002, outputTokens: 5 },
  });
  await expect(ask(ollama(definitionAt(server.url), {}), prompt(36_000))).rejects.toMatchObject({
    kind: 'permanent',
    problem: expect.stringMatching(/about 9000 tokens, Ollama read 4002 of them and cut the rest/),
  });
});

test('ollama: a count that leaves out what was cached is no cut, and usage is estimated', async () => {
  const server = await serve({
    kind: 'reply',
    content: 'hello',
    usage: { inputTokens: 12, outputTokens: 5 },
  });
  const { usage } = await ask(ollama(definitionAt(server.url), {}), prompt(12_000));
  expect(usage).toEqual({ inputTokens: 3001, outputTokens: 5, estimated: true });
});

test.each([
  ['0.12.5', 20_000, true],
  ['0.9.0', 20_000, false],
  ['0.12.6', 30_000, false],
  ['0.0.0', 30_000, false],
])('ollama: version %s and a prompt of %i characters: refused %s', async (version, characters) => {
  const server = await serve(
    { kind: 'reply', content: 'hello', usage: { inputTokens: 7900, outputTokens: 5 } },
    { version },
  );
  const call = ask(ollama(definitionAt(server.url), {}), {
    ...prompt(characters),
    maxTokens: version === '0.12.5' ? 2000 : 300,
  });
  if (version === '0.12.5') {
    await expect(call).rejects.toMatchObject({
      kind: 'permanent',
      message: expect.stringMatching(
        /may be larger than the context.*0\.12\.5 would cut it silently; update Ollama/,
      ),
    });
  } else expect((await call).content).toBe('hello');
});

test('ollama: what a model thinks keeps the call alive and is no part of the reply', async () => {
  const part = (message: object) => ({
    message: { role: 'assistant', content: '', ...message },
    done: false,
  });
  const server = await serve({
    kind: 'lines',
    lines: [
      part({ thinking: 'Hmm, ' }),
      part({ thinking: 'yes.' }),
      part({ content: 'It is.' }),
      {
        message: { role: 'assistant', content: '' },
        done: true,
        done_reason: 'stop',
        prompt_eval_count: 10,
        eval_count: 9,
      },
    ],
  });
  const texts: string[] = [];
  const reply = await ask(ollama(definitionAt(server.url), {}), {}, (text) => texts.push(text));
  expect(texts).toEqual(['It is.']);
  expect(reply).toMatchObject({ content: 'It is.', usage: { inputTokens: 10, outputTokens: 9 } });
});

test('ollama: the id that a proxy gives a request is on the reply', async () => {
  const server = await serve({
    kind: 'lines',
    headers: { 'x-request-id': 'proxy-1' },
    lines: [{ message: { role: 'assistant', content: 'Yes.' }, done: true, done_reason: 'stop' }],
  });
  expect((await ask(ollama(definitionAt(server.url), {}))).requestId).toBe('proxy-1');
});

test.each([
  {
    it: 'a model that cannot call tools',
    play: {
      kind: 'error',
      status: 400,
      message: 'registry.ollama.ai/library/gemma:2b does not support tools',
    },
    expected: { kind: 'permanent', message: /test-model cannot call tools/ },
  },
  {
    it: 'too little memory',
    play: {
      kind: 'error',
      status: 500,
      message: 'model requires more system memory (7.9 GiB) than is available (4.2 GiB)',
    },
    expected: { kind: 'permanent', message: /too little memory.*7\.9 GiB.*smaller contextTokens/ },
  },
  {
    it: 'a load that takes too long',
    play: {
      kind: 'error',
      status: 500,
      message: 'timed out waiting for llama runner to start - progress 0.80',
    },
    expected: { kind: 'retryable', message: /timed out.*OLLAMA_LOAD_TIMEOUT/ },
  },
  {
    it: 'a full queue',
    play: {
      kind: 'error',
      status: 503,
      message: 'server busy, please try again.  maximum pending requests exceeded',
    },
    expected: { kind: 'retryable', message: /server busy/ },
  },
  {
    it: 'a cloud model without an account',
    play: {
      kind: 'raw',
      status: 401,
      contentType: 'application/json',
      body: '{"error":"unauthorized","signin_url":"https://ollama.com/connect"}',
    },
    expected: { kind: 'permanent', message: /not signed in; sign in with `ollama signin`/ },
  },
] satisfies { it: string; play: Play; expected: { kind: string; message: RegExp } }[])(
  'ollama: $it is $expected.kind, with what to do',
  async ({ play, expected }) => {
    const server = await serve(play);
    await expect(ask(ollama(definitionAt(server.url), {}))).rejects.toMatchObject({
      kind: expected.kind,
      message: expect.stringMatching(expected.message),
    });
  },
);

test('ollama: a model that is not there is named with the way to fetch it; without a tag it means latest', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' }, { models: ['qwen3:8b', 'gemma3:latest'] });
  const backend = ollama(definitionAt(server.url, { model: 'gemma3' }), {});
  await backend.check('gemma3', AbortSignal.timeout(20_000));
  await expect(ask(backend, { model: 'qwen3' })).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(
      /has no model qwen3; it has: qwen3:8b, gemma3:latest; did you mean qwen3:8b\?, or fetch it: ollama pull qwen3/,
    ),
  });
  const empty = await serve({ kind: 'reply' }, { models: [] });
  await expect(ask(ollama(definitionAt(empty.url), {}))).rejects.toThrow(
    /no models at all.*ollama pull test-model/,
  );
});

test('ollama: another server at that address is told from a model that is not there', async () => {
  const server = await serve({ kind: 'reply' });
  await expect(ask(ollama(definitionAt(`${server.url}/other`), {}))).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(/does not know Ollama's API.*backend openai/),
  });
});

test('ollama: a server that is not there is started with `ollama serve`', async () => {
  const backend = ollama(definitionAt(`http://127.0.0.1:${await freePort()}`), {});
  await expect(ask(backend)).rejects.toMatchObject({
    kind: 'retryable',
    mend: expect.stringContaining('`ollama serve`'),
  });
});

test('ollama: a url that is none, and a key variable that is not set, are refused at once', () => {
  expect(() => ollama(definitionAt('not a url'), {})).toThrow(/no valid url.*http:\/\/127\.0\.0\.1:11434/);
  expect(() => ollama(definitionAt('http://127.0.0.1:1', { apiKeyVariable: 'TEST_MODEL_KEY' }), {})).toThrow(
    /variable TEST_MODEL_KEY is not set/,
  );
});

/** A port that was free a moment ago, so that nothing listens there. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
