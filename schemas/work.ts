import Type, { type Static } from 'typebox';
import { Limits } from './bounds.ts';
import { agentRoles } from './row.ts';

export const AgentRoleName = Type.Enum([...agentRoles], { description: 'An agent role' });

export const Finding = Type.Object(
  {
    id: Type.String({
      minLength: 1,
      maxLength: 80,
      description: 'Stays the same when the same fault is found again',
    }),
    severity: Type.Enum(['blocking', 'advice'], {
      description: 'Only a blocking finding starts another review cycle',
    }),
    file: Type.Optional(Type.String()),
    line: Type.Optional(Type.Integer({ minimum: 1 })),
    evidence: Type.String({ minLength: 1, description: 'What is wrong, and how it shows' }),
  },
  { description: 'What a review found' },
);
export type Finding = Static<typeof Finding>;

export const Item = Type.Object(
  {
    role: Type.Enum(['coder', 'tester'], { description: 'Who does the work' }),
    goal: Type.String({ minLength: 1 }),
    acceptance: Type.Optional(Type.String({ description: 'How to tell that it is done' })),
  },
  { description: 'One line of the plan' },
);
export type Item = Static<typeof Item>;

export const Repository = Type.Object(
  {
    path: Type.String({ description: 'Real path of the repository on the machine that holds it' }),
    baseCommit: Type.String({ description: 'The commit that the task starts from' }),
    branch: Type.String({ description: 'What was checked out, or HEAD' }),
    uncommittedFiles: Type.Integer({
      minimum: 0,
      description: 'Files with changes that the task does not see',
    }),
  },
  { description: 'The repository as it was when the task was accepted' },
);
export type Repository = Static<typeof Repository>;

export const TestReport = Type.Object(
  {
    testsPass: Type.Boolean(),
    passed: Type.Union([Type.Integer(), Type.Null()]),
    failed: Type.Union([Type.Integer(), Type.Null()]),
    exitCode: Type.Integer(),
    output: Type.String(),
    restored: Type.Array(Type.String(), { description: 'Protected files put back before judging' }),
    sandbox: Type.Enum(['bubblewrap', 'none']),
    durationMs: Type.Number(),
  },
  { description: 'What a test run by the harness came to' },
);
export type TestReport = Static<typeof TestReport>;

export const Spend = Type.Object(
  {
    calls: Type.Integer({ minimum: 0 }),
    inputTokens: Type.Integer({ minimum: 0 }),
    outputTokens: Type.Integer({ minimum: 0 }),
    costMicroDollars: Type.Integer({ minimum: 0 }),
  },
  { description: 'What models were asked and what that cost' },
);
export type Spend = Static<typeof Spend>;

/** Sums two spends; neither is changed. */
export function addSpend(one: Spend, other: Spend): Spend {
  return {
    calls: one.calls + other.calls,
    inputTokens: one.inputTokens + other.inputTokens,
    outputTokens: one.outputTokens + other.outputTokens,
    costMicroDollars: one.costMicroDollars + other.costMicroDollars,
  };
}
export const noSpend: Spend = { calls: 0, inputTokens: 0, outputTokens: 0, costMicroDollars: 0 };

/** A piece of work that the manager wants done by one run. It holds all that routing and the run need. */
export const Work = Type.Object(
  {
    runId: Type.String({ format: 'uuid' }),
    role: AgentRoleName,
    itemIndex: Type.Integer({
      minimum: -1,
      description: 'Place in the plan from 0; -1 is the planning itself',
    }),
    itemCount: Type.Integer({ minimum: 0 }),
    goal: Type.String(),
    acceptance: Type.Optional(Type.String()),
    hop: Type.Integer({ minimum: 0, description: 'Hand-offs made so far within the item' }),
    cyclesLeft: Type.Integer({ minimum: 0 }),
    findings: Type.Array(Finding, { description: 'What the last review asked to be changed' }),
    notes: Type.Array(Type.String(), {
      description: 'Answers of a person, and what else the agent should know',
    }),
    fromCommit: Type.String({ description: 'The commit to go on from' }),
    repository: Repository,
    test: Type.Optional(Type.String({ description: 'The test command, as the operator allows it' })),
    setup: Type.Optional(Type.String({ description: 'The command that makes a fresh worktree ready' })),
    baselineKnown: Type.Boolean({ description: 'False until a run has run the tests on the base commit' }),
    goalIsTests: Type.Boolean({ description: 'True when there is no goal but that the tests pass' }),
    lastTests: Type.Optional(TestReport),
    model: Type.Optional(Type.String({ description: 'The model asked for by name' })),
    limits: Limits,
    spent: Spend,
  },
  { description: 'A piece of work for one run' },
);
export type Work = Static<typeof Work>;

export const Choice = Type.Object(
  {
    model: Type.String({ description: 'Name of the model in the registry of models' }),
    pool: Type.String(),
    backend: Type.String({
      description: 'What answers: `scripted` replies are written beforehand, not by a model',
    }),
    contextTokens: Type.Integer({ minimum: 1 }),
    maxTokens: Type.Integer({ minimum: 1 }),
    timeoutMs: Type.Integer({ minimum: 1 }),
    inputMicroDollars: Type.Integer({ minimum: 0, description: 'Price of a million tokens read' }),
    outputMicroDollars: Type.Integer({ minimum: 0, description: 'Price of a million tokens written' }),
    cachedInputMicroDollars: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Price of a million tokens read from the cache of the provider; absent: as any other',
      }),
    ),
    cacheWriteMicroDollars: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Price of a million tokens put into the cache of the provider; absent: as any other',
      }),
    ),
  },
  { description: 'A model in a pool, and what it costs' },
);
export type Choice = Static<typeof Choice>;
