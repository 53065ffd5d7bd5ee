import Type, { type Static } from 'typebox';
import { agentRoles, decided, row } from './row.ts';
import { Choice, Finding, Item, Spend, TestReport, Work } from './work.ts';

const callId = Type.String({ format: 'uuid' });

export const RunClaim = Type.Object(
  { sequence: Type.Integer(), deliveries: Type.Integer(), process: Type.String() },
  { description: 'The very delivery that holds the step' },
);

export const ToolStep = Type.Object(
  {
    kind: Type.Literal('tool'),
    number: Type.Integer({ minimum: 0, description: 'Place in the run' }),
    tool: Type.String(),
    arguments: Type.Unknown(),
    toolCallId: Type.Optional(
      Type.String({ description: 'What the model called it; absent when the harness acts' }),
    ),
    effect: Type.Enum(['idempotent', 'queryable', 'opaque']),
    epoch: Type.Integer({ minimum: 1 }),
    claim: RunClaim,
    atMs: Type.Integer(),
  },
  { description: 'A tool call that was declared and is about to be performed' },
);
export type ToolStep = Static<typeof ToolStep>;

export const CallStep = Type.Object(
  {
    kind: Type.Literal('call'),
    number: Type.Integer({ minimum: 0 }),
    callId,
    choice: Type.Integer({ minimum: 0, description: 'Which of the routed choices is asked' }),
    deadlineAtMs: Type.Integer(),
  },
  { description: 'A question to a model; the run is parked until the answer comes home' },
);
export type CallStep = Static<typeof CallStep>;

/** What a run does next. */
export const Opens = Type.Union([ToolStep, CallStep], { description: 'The step that this event opens' });
export type Opens = Static<typeof Opens>;

export const Outcome = Type.Object(
  {
    status: Type.Enum(['ok', 'failed', 'denied']),
    output: Type.String(),
    commit: Type.Optional(Type.String()),
    diff: Type.Optional(Type.String()),
    sandbox: Type.Optional(Type.Enum(['bubblewrap', 'none'])),
    exitCode: Type.Optional(Type.Integer()),
    durationMs: Type.Optional(Type.Number()),
    adopted: Type.Optional(
      Type.Boolean({ description: 'True when a restart found the step done and repeated nothing' }),
    ),
    tests: Type.Optional(TestReport),
  },
  { description: 'What a tool call came to' },
);
export type Outcome = Static<typeof Outcome>;

/** How each role ends a run. */
export const Result = Type.Union(
  [
    Type.Object({ role: Type.Enum(['coder', 'tester']), summary: Type.String() }),
    Type.Object({ role: Type.Literal('planner'), items: Type.Array(Item, { minItems: 1, maxItems: 20 }) }),
    Type.Object({
      role: Type.Literal('reviewer'),
      verdict: Type.Enum(['approve', 'changes', 'blocked']),
      summary: Type.String(),
      findings: Type.Array(Finding),
    }),
  ],
  { description: 'The result of the role' },
);
export type Result = Static<typeof Result>;

export const Ending = Type.Enum(
  [
    'done',
    'red',
    'green_already',
    'stopped',
    'steps',
    'budget',
    'model',
    'schema',
    'indeterminate',
    'setup',
    'failed',
  ],
  {
    description:
      'done is the only good end; red: the tests still fail; the others name what ran out or broke',
  },
);
export type Ending = Static<typeof Ending>;

const event = {
  version: 1,
  kind: 'event',
  journal: 'run',
  publishedBy: agentRoles,
  consumedBy: ['operator'],
} as const;
const command = { version: 1, kind: 'command', journal: 'run', consumedBy: agentRoles } as const;

export const runRows = [
  row({
    ...command,
    type: 'run.start',
    publishedBy: ['router'],
    summary: 'Starts a run with the routed choices.',
    data: Type.Object({ work: Work, choices: Type.Array(Choice, { minItems: 1 }) }),
  }),
  row({
    ...command,
    type: 'run.stop',
    publishedBy: ['manager'],
    summary: 'Stops a run, also one that has not started yet.',
    data: Type.Object({ runId: Type.String({ format: 'uuid' }), reason: Type.String() }),
  }),
  row({
    ...event,
    type: 'run.started',
    summary: 'A process took the run; its first step is opened.',
    data: decided({ work: Work, choices: Type.Array(Choice, { minItems: 1 }), opens: Opens }),
  }),
  row({
    ...event,
    type: 'run.replied',
    summary: "The model's answer came home and opens the next step.",
    data: decided({
      callId,
      reply: Type.Unknown({
        description: 'The reply, so that the run can be read from its own journal alone',
      }),
      spend: Spend,
      correction: Type.Optional(
        Type.String({ description: 'What was wrong with the reply, told to the model' }),
      ),
      opens: Opens,
    }),
  }),
  row({
    ...event,
    type: 'run.stepped',
    summary: 'A tool call has its result, which opens the next step.',
    data: decided({ number: Type.Integer(), outcome: Outcome, opens: Opens }),
  }),
  row({
    ...event,
    type: 'run.taken_over',
    summary: 'The process that held the step is gone; another holds it now.',
    data: decided({
      number: Type.Integer(),
      epoch: Type.Integer({ minimum: 2 }),
      claim: RunClaim,
      from: Type.String(),
    }),
  }),
  row({
    ...event,
    type: 'run.rerouted',
    summary: 'A call failed or was late; the next choice is asked under a new call id.',
    data: decided({ callId, why: Type.String(), spend: Spend, opens: CallStep }),
  }),
  row({
    ...event,
    type: 'run.settled',
    summary: 'A late answer to a call that the run no longer waits for: only its cost counts.',
    data: decided({ callId, spend: Spend }),
  }),
  row({
    ...event,
    type: 'run.concluded',
    summary: 'The run is over; the reference to this event goes home to the manager.',
    data: decided({
      ending: Ending,
      reason: Type.String(),
      result: Type.Optional(Result),
      number: Type.Optional(Type.Integer({ description: 'The step whose outcome ended the run' })),
      outcome: Type.Optional(Outcome),
      callId: Type.Optional(callId),
      reply: Type.Optional(Type.Unknown()),
      commit: Type.String(),
      baseline: Type.Optional(TestReport),
      tests: Type.Optional(TestReport),
      spend: Spend,
      runId: Type.String({ format: 'uuid' }),
      role: Type.String(),
    }),
  }),
  row({
    version: 1,
    kind: 'homecoming',
    journal: 'task',
    type: 'work.concluded',
    publishedBy: agentRoles,
    consumedBy: ['manager'],
    summary: 'Names the concluding event of a run.',
    data: Type.Object({ journal: Type.String(), sequence: Type.Integer({ minimum: 1 }) }),
  }),
  row({
    version: 1,
    kind: 'timer',
    journal: 'run',
    type: 'call.deadline',
    publishedBy: agentRoles,
    consumedBy: agentRoles,
    summary: 'A call has had its time; if it is still open the next choice is asked.',
    data: Type.Object({ runId: Type.String(), callId, dueAtMs: Type.Integer() }),
  }),
] as const;
