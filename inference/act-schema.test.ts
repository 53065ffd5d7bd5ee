import { expect, test } from 'vitest';
import { answer } from './act.ts';
import {
  BackendError,
  type Backend,
  type ModelDefinition,
  type ModelReply,
  type ModelRequest,
} from './backend.ts';

const definition: ModelDefinition = {
  name: 'small',
  backend: 'scripted',
  pool: 'local',
  model: 'small',
  contextTokens: 8000,
  maxTokens: 100,
  tags: [],
  timeoutMs: 5000,
};
const schema = {
  name: 'verdict',
  schema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: { verdict: { enum: ['approve', 'change'] }, count: { type: 'integer' } },
    required: ['verdict'],
    additionalProperties: false,
  },
};
const replyOf = (content: string, more: Partial<ModelReply> = {}): ModelReply => ({
  content,
  toolCalls: [],
  finish: 'stop',
  usage: { inputTokens: 10, outputTokens: 5, estimated: false },
  ...more,
});

/** Asks a backend that says these, one after the other, the last for ever. */
async function ask(says: (ModelReply | BackendError)[], more: Partial<ModelRequest> = {}) {
  const requests: ModelRequest[] = [];
  const backend: Backend = {
    capabilities: [],
    async complete(request) {
      const said = says[Math.min(requests.push(request) - 1, says.length - 1)]!;
      if (said instanceof Error) throw said;
      return said;
    },
    async check() {},
  };
  const result = await answer({
    definition,
    backend,
    request: {
      model: 'small',
      role: 'reviewer',
      maxTokens: 100,
      messages: [{ role: 'user', content: 'Judge.' }],
      tools: [],
      schema,
      ...more,
    },
    budgetMs: 20_000,
    signal: new AbortController().signal,
    onText() {},
    random: () => 0,
  });
  return { result, requests };
}

test.each([
  ['as it is', '{"verdict":"approve"}'],
  ['in a fence', '```json\n{"verdict":"approve"}\n```'],
])('schema: a reply that keeps it is handed on as bare JSON, %s', async (_name, content) => {
  const { result, requests } = await ask([replyOf(content)]);
  expect(result).toMatchObject({
    outcome: 'answered',
    attempts: 1,
    reply: { content: '{"verdict":"approve"}' },
  });
  expect(requests[0]!.schema).toEqual(schema);
});

test('schema: the model is told what breaks it, and all its tries are counted', async () => {
  const { result, requests } = await ask([
    replyOf('I approve of it.'),
    replyOf('{"verdict":"maybe","more":1}'),
    replyOf('{"verdict":"change","count":2}'),
  ]);
  expect(result).toMatchObject({
    outcome: 'answered',
    attempts: 3,
    reply: { content: '{"verdict":"change","count":2}', usage: { inputTokens: 30, outputTokens: 15 } },
  });
  const told = requests.map((request) => request.messages.at(-1)!.content);
  expect(told[1]).toMatch(/JSON Schema "verdict": it is not JSON/);
  expect(told[2]).toContain('unknown property "more"');
  expect(told[2]).toContain('must be one of "approve", "change"');
  // Only the last misfit is shown, so that the request does not grow.
  expect(requests[2]!.messages).toHaveLength(3);
});

test.each([
  ['no JSON', replyOf('I approve.')],
  ['JSON of another shape', replyOf('{"verdict":"maybe"}')],
  ['half of it', replyOf('{"verdict":"appr', { finish: 'length' })],
  ['a tool call that nobody offered', replyOf('', { toolCalls: [{ id: '1', name: 'x', arguments: {} }] })],
])(
  'schema: after three replies with %s the failure is typed and paid for, and never a reply',
  async (_name, bad) => {
    const { result, requests } = await ask([bad]);
    expect(requests).toHaveLength(3);
    expect(result).toMatchObject({
      outcome: 'failed',
      kind: 'permanent',
      cause: 'schema',
      message: expect.stringContaining('breaks the schema "verdict"'),
      usage: { inputTokens: 30, outputTokens: 15 },
    });
  },
);

test('schema: a failing server in between is retried as ever', async () => {
  const trouble = new BackendError('retryable', 'out of breath', { status: 503 });
  const { result } = await ask([replyOf('no'), trouble, replyOf('{"verdict":"approve"}')]);
  expect(result).toMatchObject({ outcome: 'answered', attempts: 3 });
});

test('schema: a reply that calls a tool is not held to it', async () => {
  const call = { id: '1', name: 'read-file', arguments: { path: 'a' } };
  const tools = [{ name: 'read-file', description: 'Reads', arguments: { type: 'object' } }];
  const { result } = await ask([replyOf('Let me look.', { toolCalls: [call] })], { tools });
  expect(result).toMatchObject({ outcome: 'answered', reply: { content: 'Let me look.' } });
});

test('schema: one that is none is refused before anything is asked', async () => {
  const { result, requests } = await ask([replyOf('{}')], {
    schema: { name: 'odd', schema: { type: 'nonsense' } },
  });
  expect(requests).toHaveLength(0);
  expect(result).toMatchObject({
    outcome: 'failed',
    kind: 'permanent',
    cause: 'request',
    message: expect.stringContaining('"odd" is no JSON Schema'),
  });
});

test.each([
  [429, 'retryable', 'quota'],
  [401, 'permanent', 'refused'],
  [404, 'permanent', 'refused'],
  [504, 'retryable', 'timeout'],
  [400, 'permanent', 'request'],
  [undefined, 'retryable', 'server'],
] as const)(
  'failure: %s %s is called %s, under the id that the gateway gave',
  async (status, kind, cause) => {
    const { result } = await ask([
      new BackendError(kind, 'so it is', { status, requestId: 'gateway-1', retryAfterMs: 60_000 }),
    ]);
    expect(result).toMatchObject({ outcome: 'failed', kind, cause, requestId: 'gateway-1' });
  },
);
