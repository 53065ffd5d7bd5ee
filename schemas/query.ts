import Type, { type Static, type TSchema } from 'typebox';
import { LivingProcess, PoolState } from './living.ts';
import { atMs, count } from './query-fields.ts';

/** The states of a task as a person sees it. */
export const taskStates = [
  'queued',
  'running',
  'waiting',
  'paused',
  'completed',
  'failed',
  'cancelled',
  'rejected',
] as const;

/** What every reply says of the read model that it comes from. */
const origin = {
  record: Type.String({
    description:
      'Names this building of the read model. Where it changes, places in the record mean something else: begin anew',
  }),
  position: count('The place in the record up to which this reply knows everything'),
  atMs: atMs('When this was answered'),
};

/** The most that one reply holds. */
const mostTasks = 500;
const mostEvents = 2000;

export const TestCount = Type.Object(
  {
    testsPass: Type.Boolean(),
    passed: Type.Union([Type.Integer(), Type.Null()]),
    failed: Type.Union([Type.Integer(), Type.Null()]),
  },
  { description: 'What a test run came to; null where its output does not tell' },
);

export const TaskSummary = Type.Object(
  {
    taskId: Type.String(),
    goal: Type.String(),
    repository: Type.String({ description: 'Path of the repository; empty where the task has none' }),
    branch: Type.Optional(Type.String()),
    state: Type.Enum([...taskStates]),
    roleAtWork: Type.Optional(Type.String({ description: 'Whose work it is, or was last' })),
    itemIndex: Type.Optional(Type.Integer({ description: 'Place in the plan from 0; -1 is the planning' })),
    itemCount: Type.Optional(count('Items of the plan')),
    hop: count('Hand-offs made so far within the item'),
    maxHops: count('Hand-offs that it may make'),
    cyclesLeft: count('Review cycles that are left'),
    maxCycles: count('Review cycles that it may take'),
    calls: count('Model calls that have ended'),
    inputTokens: count('Tokens that models read'),
    outputTokens: count('Tokens that models wrote'),
    costMicroDollars: count('What its models cost so far; a dollar is 1000000'),
    budgetMicroDollars: count('What its models may cost'),
    models: Type.Array(Type.String(), { description: 'Models that it was routed to' }),
    isScripted: Type.Boolean({ description: 'True where replies were written beforehand, not by a model' }),
    openCalls: count('Model calls that are open now'),
    takeOvers: count('How often a process died and another went on'),
    denials: count('Steps that the policy refused'),
    events: count('Events so far'),
    firstSequence: count('Place of its first event in the record'),
    lastSequence: count('Place of its last event in the record'),
    startedAtMs: atMs('When its first event was stored'),
    updatedAtMs: atMs('When its last event was stored'),
    endedAtMs: Type.Optional(atMs('When it ended')),
    testsBefore: Type.Optional(TestCount),
    testsAfter: Type.Optional(TestCount),
    waiting: Type.Optional(
      Type.Object(
        { role: Type.String(), why: Type.String(), mend: Type.String() },
        { description: 'What is missing' },
      ),
    ),
    pause: Type.Optional(
      Type.Object(
        { kind: Type.String(), reason: Type.String(), mend: Type.String() },
        { description: 'Why it waits for a person, and the command that goes on' },
      ),
    ),
    reasons: Type.Array(Type.String(), { description: 'Why it was rejected, failed or cancelled' }),
    mend: Type.Optional(Type.String({ description: 'The command by which one that failed is tried again' })),
  },
  { description: 'A task in one row' },
);
export type TaskSummary = Static<typeof TaskSummary>;

export const StoredEvent = Type.Object(
  {
    journal: Type.String({ description: 'The subject that it was appended to' }),
    sequence: Type.Integer({ minimum: 1, description: 'Its place in the record' }),
    atMs: atMs('When the stream stored it'),
    event: Type.Unknown({ description: 'The CloudEvent, as docs/events.md describes it' }),
  },
  { description: 'An event in its place in the record' },
);

const spend = {
  calls: count('Model calls that have ended'),
  failedCalls: count('Those that failed or were called off'),
  inputTokens: count('Tokens that models read'),
  outputTokens: count('Tokens that models wrote'),
  costMicroDollars: count('What they cost; a dollar is 1000000'),
};

const byState = Type.Record(Type.String(), Type.Integer({ minimum: 0 }), {
  description: 'Tasks by state, of those that the other filters let through',
});

const empty = Type.Object({}, { additionalProperties: false });

interface Query<Request extends TSchema, Reply extends TSchema> {
  /** The last token of its subject: `yard.query.<name>`. */
  name: string;
  summary: string;
  request: Request;
  reply: Reply;
  /** A request that is worth showing. */
  example: Static<Request>;
}

const query = <const Name extends string, Request extends TSchema, Reply extends TSchema>(
  definition: Query<Request, Reply> & { name: Name },
) => definition;

/** What may be asked about the record. Nothing that is asked changes anything. */
export const queries = [
  query({
    name: 'tasks',
    summary: 'Tasks, newest first, a page at a time.',
    request: Type.Object(
      {
        state: Type.Optional(
          Type.Union([Type.Enum([...taskStates]), Type.Array(Type.Enum([...taskStates]))], {
            description: 'Only those in this state, or in one of these',
          }),
        ),
        text: Type.Optional(
          Type.String({ maxLength: 200, description: 'Only those whose goal, repository or id has it' }),
        ),
        role: Type.Optional(
          Type.String({ maxLength: 80, description: 'Only those whose work it is, or was last' }),
        ),
        model: Type.Optional(
          Type.String({ maxLength: 200, description: 'Only those that were routed to this model' }),
        ),
        limit: Type.Optional(
          Type.Integer({ minimum: 1, maximum: mostTasks, description: '50 where it is left out' }),
        ),
        cursor: Type.Optional(
          Type.String({
            maxLength: 40,
            description: 'The `next` of the page before; tasks that came since are not in it',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    reply: Type.Object({
      ...origin,
      tasks: Type.Array(TaskSummary),
      counts: byState,
      next: Type.Optional(Type.String({ description: 'The cursor of the next page; absent on the last' })),
    }),
    example: { state: 'running', limit: 20 },
  }),
  query({
    name: 'task',
    summary: "One task's events in the order of the record, a page at a time.",
    request: Type.Object(
      {
        taskId: Type.String({ minLength: 1, maxLength: 80 }),
        after: Type.Optional(count('Only what came after this place in the record')),
        limit: Type.Optional(
          Type.Integer({ minimum: 1, maximum: mostEvents, description: '500 where it is left out' }),
        ),
      },
      { additionalProperties: false },
    ),
    reply: Type.Object({
      ...origin,
      task: TaskSummary,
      events: Type.Array(StoredEvent),
      more: Type.Boolean({ description: 'True where there are more: ask again after the last of these' }),
    }),
    example: { taskId: '7d6f2e0a-0c1b-5a7e-9a50-1f2e3d4c5b6a', after: 0 },
  }),
  query({
    name: 'events',
    summary: 'Events of all tasks and of the mesh itself in the order of the record, a page at a time.',
    request: Type.Object(
      {
        after: count('Only what came after this place in the record'),
        limit: Type.Optional(
          Type.Integer({ minimum: 1, maximum: mostEvents, description: '500 where it is left out' }),
        ),
      },
      { additionalProperties: false },
    ),
    reply: Type.Object({
      ...origin,
      events: Type.Array(StoredEvent),
      more: Type.Boolean({ description: 'True where there are more: ask again after the last of these' }),
    }),
    example: { after: 0, limit: 100 },
  }),
  query({
    name: 'agents',
    summary: 'Who is alive, and the pools of models with their queues and breakers.',
    request: empty,
    reply: Type.Object({
      ...origin,
      processes: Type.Array(LivingProcess),
      pools: Type.Array(PoolState),
      queues: Type.Array(
        Type.Object({
          consumer: Type.String({ description: '`role-coder`, `pool-local`, `timer-manager` or `submit`' }),
          waiting: count('Not handed out yet'),
          inHand: count('Handed out and not finished'),
        }),
        { description: 'What waits in the inboxes' },
      ),
    }),
    example: {},
  }),
  query({
    name: 'totals',
    summary: 'Counts, tokens and cost of everything in the record.',
    request: empty,
    reply: Type.Object({
      ...origin,
      tasks: count('Tasks'),
      byState,
      events: count('Events'),
      notBelieved: count('Entries of the record that were passed over: not signed by who may write there'),
      ...spend,
      byModel: Type.Array(Type.Object({ model: Type.String(), backend: Type.String(), ...spend })),
      byRole: Type.Array(Type.Object({ role: Type.String(), ...spend })),
    }),
    example: {},
  }),
  query({
    name: 'dead',
    summary: 'Messages that could not be handled, newest first.',
    request: Type.Object(
      {
        limit: Type.Optional(
          Type.Integer({ minimum: 1, maximum: mostTasks, description: '100 where it is left out' }),
        ),
      },
      { additionalProperties: false },
    ),
    reply: Type.Object({
      ...origin,
      letters: Type.Array(
        Type.Object({
          messageId: Type.String(),
          subject: Type.String({ description: 'Where the message waited' }),
          role: Type.String({ description: 'Who gave it up' }),
          process: Type.String(),
          deliveries: count('How often it had been delivered'),
          reasons: Type.Array(Type.String()),
          retry: Type.String({ description: 'The command that puts it back' }),
          taskId: Type.Optional(Type.String()),
          sequence: count('Place of the event that tells of it'),
          atMs: atMs('When it was given up'),
        }),
      ),
    }),
    example: {},
  }),
  query({
    name: 'mesh',
    summary:
      'Events of the mesh itself, newest first: breakers, crashes, modes of observation, dead letters.',
    request: Type.Object(
      {
        limit: Type.Optional(
          Type.Integer({ minimum: 1, maximum: mostEvents, description: '100 where it is left out' }),
        ),
      },
      { additionalProperties: false },
    ),
    reply: Type.Object({ ...origin, events: Type.Array(StoredEvent) }),
    example: { limit: 20 },
  }),
] as const;

type Queries = (typeof queries)[number];
export type QueryName = Queries['name'];
type Requests = { [One in Queries as One['name']]: Static<One['request']> };
type Replies = { [One in Queries as One['name']]: Static<One['reply']> };
export type QueryRequest<Name extends QueryName> = Requests[Name];
export type QueryReply<Name extends QueryName> = Replies[Name];
