import { afterEach, expect, test } from 'vitest';
import { backendContract } from '../../tests/backend-contract.ts';
import { freePort } from '../../tests/terminal.ts';
import type { Behaviour } from '../../tests/model-behaviour.ts';
import { startOpenAiServer } from '../../tests/openai-server.ts';
import type { OpenAiServer } from '../../tests/openai-server.ts';
import type { ModelDefinition } from '../backend.ts';
import { litellm } from './litellm.ts';

const key = 'sk-canary-7d793037a0760186574b0282f2f435e7';
const environment = { LITELLM_API_KEY: key };
const models = ['team/coder', 'team/writer', 'embed'];

function definitionAt(url: string, more: Partial<ModelDefinition> = {}): ModelDefinition {
  return {
    name: 'mine',
    backend: 'litellm',
    pool: 'gateway',
    model: 'team/coder',
    url,
    apiKeyVariable: 'LITELLM_API_KEY',
    contextTokens: 8000,
    maxTokens: 500,
    tags: [],
    timeoutMs: 20_000,
    ...more,
  };
}

backendContract('litellm', async () => {
  let behaviours: Behaviour[] = [{ kind: 'reply', content: 'ready' }];
  const behave = (_: unknown, index: number) => behaviours[Math.min(index, behaviours.length - 1)]!;
  const server = await startOpenAiServer({ models, key, behave, isLitellm: true });
  const gone = `http://127.0.0.1:${await freePort()}/v1`;
  return {
    model: 'team/coder',
    models,
    apiKeyVariable: 'LITELLM_API_KEY',
    key,
    play: (...more) => (behaviours = more),
    backend: ({ timeoutMs = 20_000, idleTimeoutMs } = {}) =>
      litellm(definitionAt(server.url, { timeoutMs }), environment, { idleTimeoutMs }),
    backendWithWrongKey: () => litellm(definitionAt(server.url), { LITELLM_API_KEY: `${key}-old` }),
    backendWithoutServer: () => ({ backend: litellm(definitionAt(gone), environment), address: gone }),
    calls: () => ({ count: server.requests.length, lastAborted: server.requests.at(-1)?.aborted ?? false }),
    schemaAsked: () => server.requests.at(-1)?.body.response_format?.json_schema?.schema,
    parametersAsked() {
      const { temperature, top_p: topP, max_tokens: maxTokens } = server.requests.at(-1)!.body;
      return { temperature, topP, maxTokens };
    },
    // The gateway's own, not the provider's behind it.
    requestIds: () => server.requests.map((_, index) => `call-${index}`),
    stop: () => server.close(),
  };
});

const servers: OpenAiServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(behaviour: Behaviour, more: { models?: string[]; isLitellm?: boolean } = {}) {
  const server = await startOpenAiServer({ behave: () => behaviour, isLitellm: true, ...more });
  servers.push(server);
  return server;
}

const rootOf = (server: OpenAiServer) => server.url.replace('/v1', '');
const signal = () => AbortSignal.timeout(20_000);

function ask(definition: ModelDefinition, given: Record<string, string> = environment) {
  const request = {
    model: definition.model,
    role: 'coder',
    maxTokens: 300,
    messages: [{ role: 'user' as const, content: 'Hello' }],
    tools: [],
  };
  return litellm(definition, given).complete(request, { signal: signal(), onText: () => {} });
}

test('litellm: the address is taken with and without /v1, the name goes through untouched', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' });
  for (const url of [server.url, rootOf(server), `${rootOf(server)}/`, `${server.url}/`])
    expect((await ask(definitionAt(url, { model: 'Team A/Coder:latest' }))).content).toBe('hello');
  expect(server.requests.map((request) => request.body.model)).toEqual(
    Array.from({ length: 4 }, () => 'Team A/Coder:latest'),
  );
});

test('litellm: a check asks whether the gateway lives and what it lists, never its /health', async () => {
  const server = await serve({ kind: 'reply' }, { models });
  await litellm(definitionAt(rootOf(server)), environment).check('team/coder', signal());
  expect(server.paths).toEqual(['/health/liveliness', '/v1/models']);
});

test('litellm: a server that is none is told so', async () => {
  const server = await serve({ kind: 'reply' }, { isLitellm: false });
  await expect(litellm(definitionAt(server.url), environment).check('m', signal())).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(/health\/liveliness answered 404.*use the backend openai/),
  });
});

test('litellm: one call is one request, whatever it comes to', async () => {
  const server = await serve({ kind: 'error', status: 500 });
  await expect(ask(definitionAt(server.url))).rejects.toMatchObject({ requestId: 'call-0' });
  expect(server.requests).toHaveLength(1);
});

test('litellm: its own variable may be missing, one that the entry names may not', async () => {
  const server = await serve({ kind: 'reply', content: 'hello' });
  expect((await ask(definitionAt(server.url), {})).content).toBe('hello');
  expect(server.requests[0]!.headers.authorization).toBeUndefined();
  expect(() => litellm(definitionAt(server.url, { apiKeyVariable: 'TEAM_KEY' }), {})).toThrow(
    /variable TEAM_KEY is not set/,
  );
});

type Refusal = Omit<Extract<Behaviour, { kind: 'error' }>, 'kind'>;
const upstream = (words: string) =>
  `litellm.${words}\n\nLiteLLM: model group 'team/coder' failed with the error above. No fallback was attempted.`;

// The gateway's words are those of a real one.
test.each<{ it: string; refusal: Refusal; keyless?: true; expected: object }>([
  ...[400, 422, 429].map((status) => ({
    it: `a budget that is used up, as ${status}`,
    refusal: {
      status,
      type: 'budget_exceeded',
      code: `${status}`,
      message: 'Budget has been exceeded! Current cost: 1.2, Max budget: 1.0',
    },
    expected: {
      kind: 'permanent',
      status,
      message: expect.stringMatching(/no budget left.*Max budget.*raise/),
    },
  })),
  {
    it: 'a quota of the provider that is used up',
    refusal: {
      status: 429,
      type: 'throttling_error',
      message: upstream('RateLimitError: OpenAIException - You exceeded your current quota, please check'),
    },
    expected: { kind: 'permanent', message: expect.stringContaining('no quota left') },
  },
  {
    it: "a provider's limit, with the provider's own time",
    refusal: {
      status: 429,
      type: 'throttling_error',
      headers: { 'llm_provider-retry-after': '9' },
      message: upstream('RateLimitError: OpenAIException - slow down'),
    },
    expected: { kind: 'retryable', retryAfterMs: 9000 },
  },
  {
    it: 'a group whose servers all rest',
    refusal: {
      status: 429,
      type: 'all_deployments_in_cooldown',
      headers: { 'retry-after': '5' },
      message: 'No deployments available for selected model, Try again in 5 seconds.',
    },
    expected: { kind: 'retryable', retryAfterMs: 5000 },
  },
  {
    it: "a key of the gateway's that its provider refuses",
    refusal: { status: 401, message: upstream('AuthenticationError: OpenAIException - bad key') },
    expected: {
      kind: 'permanent',
      message: expect.stringMatching(/the provider behind.*yours is not meant/),
    },
  },
  {
    it: 'a key that a gateway without a database does not know',
    refusal: { status: 400, type: 'no_db_connection', message: 'No connected db.' },
    expected: {
      kind: 'permanent',
      status: 401,
      message: expect.stringMatching(/LITELLM_API_KEY.*master key/),
    },
  },
  {
    it: 'no key where one is wanted',
    refusal: { status: 401, type: 'auth_error', message: 'Authentication Error, No api key passed in.' },
    keyless: true,
    expected: { kind: 'permanent', message: expect.stringMatching(/wants a key.*LITELLM_API_KEY/) },
  },
  {
    it: 'a key that may not use the model',
    refusal: {
      status: 403,
      type: 'key_model_access_denied',
      message: 'key not allowed to access model. This key can only access models=[team/writer]',
    },
    expected: { kind: 'permanent', message: expect.stringMatching(/has no model team\/coder.*test-model/) },
  },
  {
    it: 'a prompt that is too long',
    refusal: {
      status: 400,
      message: upstream("ContextWindowExceededError: This model's maximum context length is 4096 tokens"),
    },
    expected: {
      kind: 'permanent',
      message: expect.stringContaining('larger than the context of team/coder'),
    },
  },
])('litellm: $it', async ({ refusal, keyless, expected }) => {
  const server = await serve({ kind: 'error', ...refusal });
  const call = ask(definitionAt(server.url), keyless ? {} : environment);
  await expect(call).rejects.toMatchObject({ name: 'BackendError', requestId: 'call-0', ...expected });
});
