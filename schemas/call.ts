import Type, { type Static } from 'typebox';
import { agentRoles, decided, row } from './row.ts';
import { RunClaim } from './run.ts';

const callId = Type.String({ format: 'uuid' });

export const ToolCall = Type.Object({
  id: Type.String(),
  name: Type.String(),
  arguments: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
  invalidArguments: Type.Optional(Type.String()),
});

export const ModelMessage = Type.Union([
  Type.Object({ role: Type.Enum(['system', 'user']), content: Type.String() }),
  Type.Object({ role: Type.Literal('assistant'), content: Type.String(), toolCalls: Type.Array(ToolCall) }),
  Type.Object({
    role: Type.Literal('tool'),
    toolCallId: Type.String(),
    content: Type.String(),
    status: Type.Enum(['ok', 'failed', 'denied']),
  }),
]);

export const Ask = Type.Object(
  {
    callId,
    runId: Type.String({ format: 'uuid' }),
    role: Type.Enum([...agentRoles]),
    model: Type.String({ description: 'Name of the model in the registry of models' }),
    pool: Type.String(),
    messages: Type.Array(ModelMessage, { minItems: 1 }),
    tools: Type.Array(
      Type.Object({
        name: Type.String(),
        description: Type.String(),
        arguments: Type.Record(Type.String(), Type.Unknown()),
      }),
    ),
    schema: Type.Optional(
      Type.Object(
        { name: Type.String({ minLength: 1 }), schema: Type.Record(Type.String(), Type.Unknown()) },
        { description: 'JSON Schema that the text of the reply must keep' },
      ),
    ),
    maxTokens: Type.Integer({ minimum: 1 }),
    deadlineAtMs: Type.Integer(),
    inputMicroDollars: Type.Integer({ minimum: 0 }),
    outputMicroDollars: Type.Integer({ minimum: 0 }),
    cachedInputMicroDollars: Type.Optional(Type.Integer({ minimum: 0 })),
    cacheWriteMicroDollars: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  { description: 'A question to a model, whole' },
);
export type Ask = Static<typeof Ask>;

export const Reply = Type.Object(
  {
    content: Type.String(),
    toolCalls: Type.Array(ToolCall),
    finish: Type.Enum(['stop', 'length', 'tool_calls']),
    inputTokens: Type.Integer({ minimum: 0 }),
    outputTokens: Type.Integer({ minimum: 0 }),
    cachedInputTokens: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'How many of the tokens read came from the cache of the provider',
      }),
    ),
    cacheWriteTokens: Type.Optional(
      Type.Integer({ minimum: 0, description: 'How many of the tokens read were put into that cache' }),
    ),
    tokensAreEstimated: Type.Boolean(),
    requestId: Type.Optional(Type.String({ description: "The provider's or gateway's id of the request" })),
    attempts: Type.Integer({ minimum: 1 }),
    durationMs: Type.Number(),
  },
  { description: 'What the model answered' },
);
export type Reply = Static<typeof Reply>;

/** What kind of failure ended a call; `request` and `schema` are the fault of this one request. */
export const failureCauses = [
  'request',
  'schema',
  'refused',
  'quota',
  'timeout',
  'server',
  'crash',
  'breaker',
  'late',
] as const;
export type FailureCause = (typeof failureCauses)[number];

const event = {
  version: 1,
  kind: 'event',
  journal: 'call',
  publishedBy: ['inference'],
  consumedBy: ['operator'],
} as const;

/** A model call's journal. Only inference processes write it, and only they hold provider keys. */
export const callRows = [
  row({
    version: 1,
    kind: 'command',
    journal: 'call',
    type: 'call.ask',
    inbox: 'pool',
    publishedBy: agentRoles,
    consumedBy: ['inference'],
    summary: 'Asks a pool for one reply.',
    data: Ask,
  }),
  row({
    version: 1,
    kind: 'command',
    journal: 'call',
    type: 'call.cancel',
    publishedBy: agentRoles,
    consumedBy: ['inference'],
    summary:
      'The run no longer waits for this call. Any inference process takes it, however busy the pool is.',
    data: Type.Object({
      callId,
      runId: Type.String(),
      role: Type.Enum([...agentRoles]),
      reason: Type.String(),
    }),
  }),
  row({
    ...event,
    type: 'call.intended',
    summary: 'A worker is about to ask the model; who, for what, and at worst for how much.',
    data: decided({
      callId,
      runId: Type.String(),
      role: Type.Enum([...agentRoles]),
      model: Type.String(),
      pool: Type.String(),
      backend: Type.String({ description: '`scripted` replies are written beforehand, not by a model' }),
      worstCaseMicroDollars: Type.Integer({ minimum: 0 }),
      inputMicroDollars: Type.Integer({ minimum: 0 }),
      outputMicroDollars: Type.Integer({ minimum: 0 }),
      cachedInputMicroDollars: Type.Optional(Type.Integer({ minimum: 0 })),
      cacheWriteMicroDollars: Type.Optional(Type.Integer({ minimum: 0 })),
      claim: RunClaim,
      epoch: Type.Integer({ minimum: 1 }),
    }),
  }),
  row({
    ...event,
    type: 'call.taken_over',
    summary: 'The worker that asked is gone; another asks again (the model may have been paid twice).',
    data: decided({ callId, claim: RunClaim, epoch: Type.Integer({ minimum: 2 }), from: Type.String() }),
  }),
  row({
    ...event,
    type: 'call.completed',
    summary: "The model's reply, written once.",
    data: decided({
      callId,
      runId: Type.String(),
      reply: Reply,
      backend: Type.String(),
      model: Type.String(),
      costMicroDollars: Type.Integer({ minimum: 0 }),
    }),
  }),
  row({
    ...event,
    type: 'call.failed',
    summary: 'No reply could be had; permanent, or worth another model.',
    data: decided({
      callId,
      runId: Type.String(),
      kind: Type.Enum(['permanent', 'retryable']),
      cause: Type.Optional(
        Type.Enum([...failureCauses], {
          description:
            '`request`, `schema`: of this request alone; `refused`: key, account or model; `quota`, `timeout`, `server`: of the server; `crash`: its workers ended again and again; `breaker`: the pool rests; `late`: its time was over before it was taken',
        }),
      ),
      message: Type.String(),
      attempts: Type.Integer({ minimum: 0 }),
      requestId: Type.Optional(
        Type.String({ description: "The provider's or gateway's id of the last request" }),
      ),
      inputTokens: Type.Optional(
        Type.Integer({ minimum: 0, description: 'Read for replies that could not be used' }),
      ),
      outputTokens: Type.Optional(
        Type.Integer({ minimum: 0, description: 'Written in replies that could not be used' }),
      ),
      durationMs: Type.Optional(
        Type.Number({ minimum: 0, description: 'Over all attempts; absent where the model was not asked' }),
      ),
      backend: Type.String(),
      model: Type.String(),
      costMicroDollars: Type.Integer({ minimum: 0 }),
    }),
  }),
  row({
    ...event,
    type: 'call.cancelled',
    summary: 'The call was called off before its reply was stored.',
    data: decided({
      callId,
      runId: Type.String(),
      reason: Type.String(),
      costMicroDollars: Type.Integer({ minimum: 0 }),
    }),
  }),
  row({
    version: 1,
    kind: 'homecoming',
    journal: 'run',
    type: 'call.answered',
    publishedBy: ['inference'],
    consumedBy: agentRoles,
    summary: 'Names the concluding event of a call.',
    data: Type.Object({
      journal: Type.String(),
      sequence: Type.Integer({ minimum: 1 }),
      runId: Type.String(),
    }),
  }),
] as const;
