import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { backendContract } from '../../tests/backend-contract.ts';
import { errorFrame, eventFrame, exceptionFrame } from '../../tests/bedrock-frames.ts';
import { startBedrockServer } from '../../tests/bedrock-server.ts';
import type { BedrockBehaviour, BedrockServer, BehaveAsBedrock } from '../../tests/bedrock-server.ts';
import { environmentOf } from '../../cli/process-environment.ts';
import type { Config } from '../../config/config.ts';
import { roles } from '../../schemas/row.ts';
import type { Role } from '../../schemas/row.ts';
import { BackendError } from '../backend.ts';
import type { Backend, ModelDefinition, ModelRequest } from '../backend.ts';
import { bedrock } from './bedrock.ts';

const account = {
  accessKeyId: 'AKIACANARY0123456789',
  secretAccessKey: 'canary/secret+5d41402abc4b2a76b9719d911017c5',
  sessionToken: 'IQoJcanary//session=token+5d41402abc4b2a76b9719d911017c592==',
  region: 'eu-central-1',
};
const bearer = 'ABSKcanary5d41402abc4b2a76b9719d911017c592';
const model = 'eu.example.coder-v1:0';
const signing = {
  AWS_REGION: account.region,
  AWS_ACCESS_KEY_ID: account.accessKeyId,
  AWS_SECRET_ACCESS_KEY: account.secretAccessKey,
  AWS_SESSION_TOKEN: account.sessionToken,
};

/** What the AWS client finds by itself must not decide these tests. */
beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent/config');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent/credentials');
});

function definitionAt(url: string | undefined, more: Partial<ModelDefinition> = {}): ModelDefinition {
  return {
    name: 'test',
    backend: 'bedrock',
    pool: 'test',
    model,
    ...(url !== undefined && { url }),
    contextTokens: 8000,
    maxTokens: 500,
    tags: [],
    timeoutMs: 20_000,
    ...more,
  };
}

backendContract('bedrock', async () => {
  let behaviours: BedrockBehaviour[] = [{ kind: 'reply', content: 'ready' }];
  const behave: BehaveAsBedrock = (_, index) => behaviours[Math.min(index, behaviours.length - 1)]!;
  const server = await startBedrockServer({ models: [model], account, behave });
  const freeUrl = `http://127.0.0.1:${await freePort()}`;
  return {
    model,
    models: [model],
    apiKeyVariable: 'AWS_SECRET_ACCESS_KEY',
    key: account.secretAccessKey,
    play: (...more) => (behaviours = more),
    backend: ({ timeoutMs = 20_000, idleTimeoutMs } = {}) =>
      bedrock(definitionAt(server.url, { timeoutMs }), signing, { idleTimeoutMs }),
    backendWithWrongKey: () =>
      bedrock(definitionAt(server.url), { ...signing, AWS_SECRET_ACCESS_KEY: 'old' }),
    backendWithoutServer: () => ({ backend: bedrock(definitionAt(freeUrl), signing), address: freeUrl }),
    calls: () => ({ count: server.requests.length, lastAborted: server.requests.at(-1)?.aborted ?? false }),
    schemaAsked: () => {
      const format = server.requests.at(-1)?.body.outputConfig?.textFormat;
      return format && (JSON.parse(format.structure.jsonSchema.schema) as unknown);
    },
    parametersAsked() {
      const { temperature, topP, maxTokens } = server.requests.at(-1)!.body.inferenceConfig!;
      return { temperature, topP, maxTokens };
    },
    requestIds: () => server.requests.map((request) => request.requestId),
    cannot: {
      'refused-key': 'AWS refuses keys with 403, not 401; tested below',
      'unknown-model': 'this API has no list of models; tested below',
    },
    stop: () => server.close(),
  };
});

const servers: BedrockServer[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(behave: BehaveAsBedrock): Promise<BedrockServer> {
  const server = await startBedrockServer({ behave, models: [model], account, bearer });
  servers.push(server);
  return server;
}

const user = { role: 'user', content: 'Hello' } as const;
function ask(backend: Backend, more: Partial<ModelRequest> = {}, texts: string[] = []) {
  const request: ModelRequest = {
    model,
    role: 'coder',
    maxTokens: 300,
    messages: [user],
    tools: [],
    ...more,
  };
  return backend.complete(request, {
    signal: new AbortController().signal,
    onText: (text) => texts.push(text),
  });
}

async function failureOf(call: Promise<unknown>): Promise<BackendError> {
  const error: unknown = await call.then(
    () => expect.fail('it answered'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(BackendError);
  for (const secret of [...Object.values(account).slice(0, 3), bearer])
    for (const form of [secret, encodeURIComponent(secret)])
      expect(`${String(error)} ${String((error as Error).cause)}`).not.toContain(form);
  return error as BackendError;
}

test('bedrock: what is sent is what Converse takes', async () => {
  const server = await serve(() => ({ kind: 'reply', content: 'hello' }));
  const longId = `call:${'x'.repeat(80)}`;
  await ask(bedrock(definitionAt(server.url), signing), {
    temperature: 0.2,
    messages: [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U' },
      {
        role: 'assistant',
        content: '',
        toolCalls: [
          { id: longId, name: 'read-file', arguments: { path: 'x' } },
          { id: 'b', name: 'read.file', arguments: null, invalidArguments: '{"pa' },
        ],
      },
      { role: 'tool', toolCallId: longId, content: 'text', status: 'ok' },
      { role: 'tool', toolCallId: 'b', content: '', status: 'denied' },
      { role: 'user', content: 'Go on.' },
      { role: 'user', content: '  ' },
      { role: 'assistant', content: '\n', toolCalls: [] },
      { role: 'user', content: 'Well?' },
    ],
    tools: [{ name: 'read-file', description: '', arguments: { type: 'object' } }],
  });
  const fitting = expect.stringMatching(/^call_x+_[0-9a-f]{12}$/);
  const renamed = expect.stringMatching(/^read_file_[0-9a-f]{12}$/);
  expect(server.requests[0]!.body).toEqual({
    system: [{ text: 'S' }],
    inferenceConfig: { maxTokens: 300, temperature: 0.2 },
    messages: [
      { role: 'user', content: [{ text: 'U' }] },
      {
        role: 'assistant',
        content: [
          { toolUse: { toolUseId: fitting, name: 'read-file', input: { path: 'x' } } },
          { toolUse: { toolUseId: 'b', name: renamed, input: {} } },
        ],
      },
      {
        role: 'user',
        content: [
          { toolResult: { toolUseId: fitting, content: [{ text: 'text' }], status: 'success' } },
          { toolResult: { toolUseId: 'b', content: [{ text: '' }], status: 'error' } },
          { text: 'Go on.' },
          { text: 'Well?' },
        ],
      },
    ],
    toolConfig: {
      tools: [
        {
          toolSpec: {
            name: 'read-file',
            description: 'read-file',
            inputSchema: { json: { type: 'object' } },
          },
        },
      ],
    },
  });
  expect(server.requests[0]!.model).toBe(model);
});

test('bedrock: nothing of the machine is sent, and only what is documented out of its environment', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1');
  vi.stubEnv('AWS_ENDPOINT_URL_BEDROCK_RUNTIME', 'http://127.0.0.1:1');
  const server = await serve(() => ({ kind: 'reply', content: 'hello' }));
  await ask(bedrock(definitionAt(server.url), signing));
  const { headers } = server.requests[0]!;
  expect(headers['user-agent']).toBe('switchyard');
  expect(JSON.stringify(headers)).not.toMatch(/linux|node|darwin|win32/i);
});

test.each([
  ['The model returned the following errors: `top_p` is deprecated for this model.', { temperature: 0.2 }],
  ['`temperature` and `top_p` cannot both be specified for this model.', { temperature: 0.2 }],
  ["This model doesn't support the temperature field. Remove temperature and try again.", { topP: 0.9 }],
])('bedrock: of temperature and topP, "%s" leaves %j', async (message, left) => {
  const server = await serve(({ inferenceConfig: { temperature, topP } = {} }) =>
    temperature === undefined || topP === undefined
      ? { kind: 'reply', content: 'hello' }
      : { kind: 'error', status: 400, message },
  );
  const backend = bedrock(definitionAt(server.url), signing);
  await ask(backend, { temperature: 0.2, topP: 0.9 });
  await ask(backend, { temperature: 0.2, topP: 0.9 });
  const asked = server.requests.map(({ body }) => body.inferenceConfig);
  const maxTokens = expect.any(Number);
  expect(asked).toEqual([
    { maxTokens, temperature: 0.2, topP: 0.9 },
    ...[left, left].map((one) => ({ maxTokens, ...one })),
  ]);
});

test('bedrock: a name that does not fit is sent as one that does, and comes back as itself', async () => {
  const server = await serve((body) => {
    const { name } = body.toolConfig!.tools[0]!.toolSpec;
    return { kind: 'reply', toolCalls: [{ name, arguments: { a: 1 } }] };
  });
  const name = `files/${'read '.repeat(20)}`;
  const tools = [{ name, description: 'Reads', arguments: { type: 'object' } }];
  const reply = await ask(bedrock(definitionAt(server.url), signing), { tools });
  expect(reply.toolCalls).toMatchObject([{ name, arguments: { a: 1 } }]);
  expect(server.requests[0]!.body.toolConfig!.tools[0]!.toolSpec.name).not.toBe(name);
});

test('bedrock: calls of earlier turns are described where no tool is there any more', async () => {
  const server = await serve(() => ({ kind: 'reply', content: 'Done.' }));
  const reply = await ask(bedrock(definitionAt(server.url), signing), {
    messages: [
      user,
      { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'run-tests', arguments: {} }] },
      { role: 'tool', toolCallId: 'a', content: 'ok', status: 'ok' },
    ],
  });
  expect(reply.content).toBe('Done.');
});

test('bedrock: a key of Bedrock itself goes before the keys of the account', async () => {
  const server = await serve(() => ({ kind: 'reply', content: 'hello' }));
  await ask(bedrock(definitionAt(server.url), { ...signing, AWS_BEARER_TOKEN_BEDROCK: bearer }));
  expect(server.requests[0]!.headers.authorization).toBe(`Bearer ${bearer}`);
});

test('bedrock: tokens read from a cache or written to it were read all the same', async () => {
  const server = await serve(() => ({
    kind: 'raw-frames',
    frames: [
      eventFrame('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text: 'Hm.' } } }),
      eventFrame('contentBlockDelta', { contentBlockIndex: 1, delta: { text: 'Yes.' } }),
      eventFrame('somethingNew', { of: 'tomorrow' }),
      eventFrame('messageStop', { stopReason: 'stop_sequence' }),
      eventFrame('metadata', {
        usage: {
          inputTokens: 5,
          outputTokens: 2,
          totalTokens: 107,
          cacheReadInputTokens: 70,
          cacheWriteInputTokens: 30,
        },
        metrics: { latencyMs: 1 },
      }),
    ],
  }));
  const reply = await ask(bedrock(definitionAt(server.url), signing));
  expect(reply).toMatchObject({ content: 'Yes.', finish: 'stop' });
  expect(reply.usage).toMatchObject({ inputTokens: 105, outputTokens: 2, estimated: false });
});

test.each([
  ['content_filtered', 'permanent', /content filter/],
  ['guardrail_intervened', 'permanent', /guardrail/],
  ['model_context_window_exceeded', 'permanent', /larger than the context of eu\.example/],
  ['malformed_tool_use', 'retryable', /malformed tool use/],
  ['malformed_model_output', 'retryable', /malformed model output/],
])('bedrock: a reply that stops with %s is %s', async (stopReason, kind, problem) => {
  const server = await serve(() => ({
    kind: 'raw-frames',
    frames: [
      eventFrame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'The' } }),
      eventFrame('messageStop', { stopReason }),
    ],
  }));
  const error = await failureOf(ask(bedrock(definitionAt(server.url), signing)));
  expect(error).toMatchObject({ kind, problem: expect.stringMatching(problem) });
  expect(error.requestId).toBe(server.requests[0]!.requestId);
});

test.each([
  [exceptionFrame('throttlingException', 'Too many tokens'), 'retryable', /Too many tokens/],
  [exceptionFrame('internalServerException', 'try again'), 'retryable', /try again/],
  [exceptionFrame('serviceUnavailableException', 'later'), 'retryable', /later/],
  [
    exceptionFrame('validationException', 'Input is too long for requested model.'),
    'permanent',
    /larger than/,
  ],
  [exceptionFrame('validationException', 'no such field'), 'permanent', /refused .*no such field/],
  [exceptionFrame('exceptionOfTomorrow', '?'), 'retryable', /broke off/],
  [errorFrame('InternalFailure', 'the stream failed'), 'retryable', /the stream failed/],
])('bedrock: a failure in the middle of the stream is told by its name', async (frame, kind, problem) => {
  const text = eventFrame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'The' } });
  const server = await serve(() => ({ kind: 'raw-frames', frames: [text, frame] }));
  const error = await failureOf(ask(bedrock(definitionAt(server.url), signing)));
  expect(error).toMatchObject({ kind, message: expect.stringMatching(problem) });
  expect(error.requestId).toBe(server.requests[0]!.requestId);
});

test.each([
  [{ status: 429, type: 'ModelNotReadyException' }, 'retryable', /answered 429 \(ModelNotReady/],
  [{ status: 408, type: 'ModelTimeoutException' }, 'retryable', /answered 408/],
  [{ status: 424, type: 'ModelErrorException' }, 'retryable', /answered 424/],
  [
    { status: 403, type: 'ExpiredTokenException', message: 'The security token has expired' },
    'permanent',
    /AWS_SESSION_TOKEN.*renew/,
  ],
  [
    { status: 403, type: 'AccessDeniedException', message: 'no' },
    'permanent',
    /bedrock:InvokeModelWithResponseStream/,
  ],
  [
    { status: 403, type: 'InvalidSignatureException', message: 'Signature expired: 20260101 is now earlier' },
    'retryable',
    /clock/,
  ],
  [
    {
      status: 404,
      type: 'ResourceNotFoundException',
      message: 'Model use case details have not been submitted',
    },
    'permanent',
    /does not serve.*list-foundation-models/,
  ],
  [
    {
      status: 400,
      type: 'ValidationException',
      message:
        'Invocation of model ID x with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model.',
    },
    'permanent',
    /list-inference-profiles --region eu-central-1/,
  ],
  [
    {
      status: 400,
      type: 'ValidationException',
      message: "This model doesn't support tool use in streaming mode.",
    },
    'permanent',
    /cannot call tools/,
  ],
  [
    { status: 400, type: 'ServiceQuotaExceededException', message: 'quota' },
    'permanent',
    /refused the request \(400\): quota/,
  ],
] as const)('bedrock: $type is told by its consequence', async (error, kind, message) => {
  const server = await serve(() => ({ kind: 'error', ...error }));
  expect(await failureOf(ask(bedrock(definitionAt(server.url), signing)))).toMatchObject({
    kind,
    status: error.status,
    message: expect.stringMatching(message),
    requestId: server.requests[0]!.requestId,
  });
});

test('bedrock: a web page of something in between is no reply', async () => {
  const page = { contentType: 'text/html', body: '<html>Bad gateway</html>' };
  const server = await serve((_, index) => ({ kind: 'raw', status: index === 0 ? 502 : 200, ...page }));
  const backend = bedrock(definitionAt(server.url), signing);
  expect(await failureOf(ask(backend))).toMatchObject({ kind: 'retryable', status: 502 });
  expect(await failureOf(ask(backend))).toMatchObject({ kind: 'retryable' });
});

test('bedrock: an unknown model is permanent, and the commands that list models are named', async () => {
  const server = await serve(() => ({ kind: 'reply', content: 'never' }));
  const backend = bedrock(definitionAt(server.url), signing);
  const signal = new AbortController().signal;
  for (const call of [ask(backend, { model: 'x.y' })]) {
    const error = await failureOf(call);
    expect(error).toMatchObject({ kind: 'permanent', status: 400 });
    expect(error.message).toContain(`${server.url} does not serve the model x.y`);
    expect(error.message).toContain('aws bedrock list-foundation-models --region eu-central-1');
  }
  // The probe is refused before the model is looked up.
  await backend.check('x.y', signal);
});

test.each([
  ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'wrong' }, /AWS_SECRET_ACCESS_KEY.*signature we calculated/],
  ['a wrong key', { AWS_ACCESS_KEY_ID: 'AKIAWRONG' }, /AWS_ACCESS_KEY_ID.*security token .* is invalid/],
  ['a wrong session', { AWS_SESSION_TOKEN: 'wrong' }, /AWS_SESSION_TOKEN.*security token .* is invalid/],
  ['another region', { AWS_REGION: 'us-east-1' }, /meant for the region us-east-1/],
  ['a wrong Bedrock key', { AWS_BEARER_TOKEN_BEDROCK: `${bearer}-old` }, /AWS_BEARER_TOKEN_BEDROCK/],
])('bedrock: %s is permanent, names the variable and shows no secret', async (_it, wrong, message) => {
  const server = await serve(() => ({ kind: 'reply', content: 'never' }));
  const backend = bedrock(definitionAt(server.url), { ...signing, ...wrong });
  const signal = new AbortController().signal;
  for (const call of [ask(backend), backend.check(model, signal)]) {
    expect(await failureOf(call)).toMatchObject({
      kind: 'permanent',
      status: 403,
      message: expect.stringMatching(message),
    });
  }
  expect(server.requests).toHaveLength(0);
});

test('bedrock: without any credentials it is said at once what to set', async () => {
  const server = await serve(() => ({ kind: 'reply', content: 'never' }));
  const backend = bedrock(definitionAt(server.url, { region: 'eu-central-1' }), {});
  const signal = new AbortController().signal;
  for (const call of [ask(backend), backend.check(model, signal)]) {
    const error = await failureOf(call);
    expect(error.kind).toBe('permanent');
    for (const name of [
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY',
      'AWS_PROFILE',
      'AWS_BEARER_TOKEN_BEDROCK',
    ])
      expect(error.message).toContain(name);
  }
  expect(server.seen()).toBe(0);
});

test('bedrock: without a region it is said what to set, and it is looked for again the next time', async () => {
  const error = await failureOf(ask(bedrock(definitionAt(undefined), { ...signing, AWS_REGION: ' ' })));
  expect(error).toMatchObject({ kind: 'permanent' });
  expect(error.message).toMatch(/no AWS region; give it as the model's region, or set AWS_REGION/);
  expect(() => bedrock(definitionAt('not a url'), signing)).toThrow(/no valid url/);
});

test('bedrock: check costs no tokens, and tells what the account may not', async () => {
  const server = await serve(() => ({ kind: 'error', status: 403, message: 'no access' }));
  const backend = bedrock(definitionAt(server.url), signing);
  await backend.check(model, new AbortController().signal);
  expect(server.requests).toHaveLength(0);
  expect(server.seen()).toBe(1);
});

test('bedrock: a model without schemas is asked by a forced tool, then and from then on', async () => {
  const schema = { name: 'verdict', schema: { type: 'object', properties: { ok: { type: 'boolean' } } } };
  const server = await serve((body) => {
    if (body.outputConfig)
      return {
        kind: 'error',
        status: 400,
        message:
          'The model returned the following errors: output_config.format: Extra inputs are not permitted',
      };
    const { name } = body.toolConfig!.tools.at(-1)!.toolSpec;
    return { kind: 'reply', toolCalls: [{ name, arguments: { ok: true } }], pieceCharacters: 3 };
  });
  const backend = bedrock(definitionAt(server.url), signing);
  const texts: string[] = [];
  const reply = await ask(backend, { schema }, texts);
  expect(reply).toMatchObject({ content: '{"ok":true}', toolCalls: [], finish: 'stop' });
  expect(texts.join('')).toBe('{"ok":true}');
  expect(server.requests[1]!.body.toolConfig).toMatchObject({
    toolChoice: { tool: { name: 'reply_verdict' } },
  });
  const tools = [{ name: 'read-file', description: 'Reads', arguments: { type: 'object' } }];
  await ask(backend, { schema, tools });
  expect(server.requests).toHaveLength(3);
  expect(server.requests[2]!.body.toolConfig).toMatchObject({ toolChoice: { any: {} } });
});

test('bedrock: a model that knows no status of results is told none', async () => {
  const server = await serve((body) =>
    JSON.stringify(body).includes('"status"')
      ? {
          kind: 'error',
          status: 400,
          message: "This model doesn't support the status field. Remove status and try again.",
        }
      : { kind: 'reply', content: 'Done.' },
  );
  const messages: ModelRequest['messages'] = [
    user,
    { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'run-tests', arguments: {} }] },
    { role: 'tool', toolCallId: 'a', content: 'ok', status: 'ok' },
  ];
  expect((await ask(bedrock(definitionAt(server.url), signing), { messages })).content).toBe('Done.');
});

test('bedrock: AWS credentials reach inference processes, where a model of it is configured, and no others', () => {
  const options = {
    backend: 'bedrock',
    pool: 'p',
    contextTokens: 8000,
    maxTokens: 500,
    tags: [],
    timeoutMs: 1000,
  };
  const environment = { ...signing, AWS_BEARER_TOKEN_BEDROCK: bearer, AWS_UNRELATED: 'x', PATH: '/bin' };
  const seenBy = (role: Role, models: object) => environmentOf(role, { models } as Config, environment, {});
  expect(seenBy('inference', { big: options })).toMatchObject(signing);
  expect(seenBy('inference', { big: options })).not.toHaveProperty('AWS_UNRELATED');
  for (const role of roles.filter((one) => one !== 'inference'))
    expect(JSON.stringify(seenBy(role, { big: options }))).not.toContain('AWS_');
  const other = { ...options, backend: 'openai', url: 'http://127.0.0.1:1/v1' };
  expect(JSON.stringify(seenBy('inference', { other }))).not.toContain('AWS_');
});

/** A port that was free a moment ago, so that nothing listens there. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
