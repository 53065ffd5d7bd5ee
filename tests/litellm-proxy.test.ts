import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelDefinition } from '../inference/backend.ts';
import { litellm } from '../inference/backends/litellm.ts';
import { backendContract } from './backend-contract.ts';
import { startLitellm } from './litellm-gateway.ts';
import type { LitellmGateway } from './litellm-gateway.ts';
import { installLitellm } from './litellm-install.ts';
import type { Behaviour } from './model-behaviour.ts';
import { startOpenAiServer } from './openai-server.ts';
import type { OpenAiServer } from './openai-server.ts';
import { freePort } from './terminal.ts';

const key = 'sk-canary-9b74c9897bac770ffc029102a200c5de';
const models = ['team/coder', 'team/writer', 'embed'];
const installed = await installLitellm();

for (const reason of 'missing' in installed ? [installed.missing] : [])
  test.skip(`litellm, a real gateway (skipped: ${reason})`, () => expect.fail('it is not here'));
for (const program of 'program' in installed ? [installed.program] : []) behindRealGateway(program);

/** What the gateway itself does not pass on; each is looked at below, or is a limit that docs/models/litellm.md names. */
const cannot = {
  'usage-absent': 'LiteLLM counts by itself where the server behind it does not',
  'request-id': 'nobody knows its ids beforehand; a test of its own looks at them',
  'request-id-of-failure': 'nobody knows its ids beforehand; a test of its own looks at them',
  forbidden: 'a 403 from behind the gateway is about its key, not ours; a test of its own looks at it',
  redirect: 'a redirect from behind the gateway is for the gateway to follow or not',
  'cut-end': 'LiteLLM ends a stream that stopped early as if it were whole',
};

function behindRealGateway(program: string): void {
  let upstream: OpenAiServer;
  let gateway: LitellmGateway;
  let behaviours: Behaviour[] = [];
  /** How many requests the server behind the gateway had got before this test. */
  let before = 0;

  beforeAll(async () => {
    const behave = (_: unknown, index: number) =>
      behaviours[Math.min(index - before, behaviours.length - 1)]!;
    upstream = await startOpenAiServer({ behave, models: ['the-model'] });
    gateway = await startLitellm({
      program,
      upstream: upstream.url,
      upstreamModel: 'the-model',
      models,
      key,
    });
  });
  afterAll(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  const definition = (more: Partial<ModelDefinition> = {}): ModelDefinition => ({
    name: 'mine',
    backend: 'litellm',
    pool: 'gateway',
    model: 'team/coder',
    url: gateway.url,
    apiKeyVariable: 'LITELLM_API_KEY',
    contextTokens: 8000,
    maxTokens: 500,
    tags: [],
    timeoutMs: 60_000,
    ...more,
  });
  const backend = (more: Partial<ModelDefinition> = {}, idleTimeoutMs?: number) =>
    litellm(definition(more), { LITELLM_API_KEY: key }, { idleTimeoutMs });

  backendContract('litellm, a real gateway', async () => {
    before = upstream.requests.length;
    behaviours = [{ kind: 'reply', content: 'ready' }];
    const gone = `http://127.0.0.1:${await freePort()}/v1`;
    const requests = () => upstream.requests.slice(before);
    return {
      model: 'team/coder',
      models,
      apiKeyVariable: 'LITELLM_API_KEY',
      key,
      play: (...more) => (behaviours = more),
      backend: ({ timeoutMs, idleTimeoutMs } = {}) =>
        backend(timeoutMs === undefined ? {} : { timeoutMs }, idleTimeoutMs),
      backendWithWrongKey: () => litellm(definition(), { LITELLM_API_KEY: `${key}-old` }),
      backendWithoutServer: () => ({ backend: backend({ url: gone }), address: gone }),
      calls: () => ({ count: requests().length, lastAborted: requests().at(-1)?.aborted ?? false }),
      schemaAsked: () => requests().at(-1)?.body.response_format?.json_schema?.schema,
      parametersAsked() {
        const { temperature, top_p: topP, max_tokens: maxTokens } = requests().at(-1)!.body;
        return { temperature, topP, maxTokens };
      },
      cannot,
      stop: async () => {},
    };
  });

  const ask = async () =>
    backend().complete(
      {
        model: 'team/coder',
        role: 'coder',
        maxTokens: 99,
        messages: [{ role: 'user', content: 'Hello' }],
        tools: [],
      },
      { signal: AbortSignal.timeout(60_000), onText: () => {} },
    );

  test("litellm, a real gateway: the id on a failure is the one in the gateway's log, and nothing is tried twice", async () => {
    before = upstream.requests.length;
    behaviours = [{ kind: 'error', status: 500, message: 'the engine is down' }];
    const error: unknown = await ask().catch((one: unknown) => one);
    expect(error).toMatchObject({ kind: 'retryable', status: 500 });
    const { requestId } = error as { requestId: string };
    expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
    await expect.poll(() => gateway.log()).toContain(requestId);
    expect(upstream.requests.length - before).toBe(1);
  });
  test('litellm, a real gateway: each reply has an id of its own', async () => {
    before = upstream.requests.length;
    behaviours = [{ kind: 'reply', content: 'ready' }];
    const ids = [(await ask()).requestId, (await ask()).requestId];
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(ids).size).toBe(2);
  });

  test('litellm, a real gateway: a key of its own that its provider refuses is not taken for ours', async () => {
    before = upstream.requests.length;
    behaviours = [401, 403].map((status) => ({ kind: 'error', status, message: 'no such key' }));
    for (const status of [401, 403])
      await expect(ask()).rejects.toMatchObject({
        kind: 'permanent',
        status,
        message: expect.stringContaining('yours is not meant'),
        requestId: expect.any(String),
      });
  });

  test('litellm, a real gateway: a quota of its provider that is used up is permanent', async () => {
    before = upstream.requests.length;
    const message = 'You exceeded your current quota, please check your plan and billing details.';
    behaviours = [{ kind: 'error', status: 429, code: 'insufficient_quota', message }];
    await expect(ask()).rejects.toMatchObject({ kind: 'permanent', status: 429 });
  });

  test('litellm, a real gateway: a check asks its liveliness and its list, and no provider', async () => {
    before = upstream.requests.length;
    await backend().check('team/writer', AbortSignal.timeout(60_000));
    expect(upstream.requests.length).toBe(before);
    expect(gateway.log()).toContain('GET /health/liveliness');
    expect(gateway.log()).not.toMatch(/GET \/health(\s|\?)/);
  });
}
