import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defaultLimits } from '../schemas/bounds.ts';
import type { DataOf, TypeName } from '../schemas/catalogue.ts';
import { deriveId, message } from '../schemas/envelope.ts';
import type { Input, Stored } from '../schemas/service.ts';
import { dataProblems } from '../schemas/validate.ts';
import { noSpend, type Work } from '../schemas/work.ts';
import { decide, evolve, noRoute, outbox, type Route, type RoutingFacts } from './route.ts';
import { contextEstimate, type Rule } from './rules.ts';

const taskId = deriveId('tests', 'task');
const runId = deriveId('tests', 'run');
const commit = 'b'.repeat(40);
const lineage = { taskId, correlationId: taskId, causationId: 'tests', hop: 1, cyclesLeft: 2 };

const workOf = (more: Partial<Work> = {}): Work => ({
  runId,
  role: 'coder',
  itemIndex: 0,
  itemCount: 1,
  goal: 'mend it',
  hop: 1,
  cyclesLeft: 2,
  findings: [],
  notes: [],
  fromCommit: commit,
  repository: { path: '/srv/code', baseCommit: commit, branch: 'main', uncommittedFiles: 0 },
  baselineKnown: false,
  goalIsTests: false,
  limits: defaultLimits,
  spent: noSpend,
  ...more,
});

const modelOf = (model: string, more: Partial<RoutingFacts['models'][string]> = {}) => ({
  model,
  pool: `pool-of-${model}`,
  backend: 'openai',
  contextTokens: 32_768,
  maxTokens: 4096,
  timeoutMs: 60_000,
  inputMicroDollars: 0,
  outputMicroDollars: 0,
  tags: ['code'],
  ...more,
});
const models: RoutingFacts['models'] = {
  small: modelOf('small', { tags: ['local', 'code'] }),
  large: modelOf('large', { contextTokens: 200_000 }),
  tiny: modelOf('tiny', { contextTokens: 5000 }),
};
const factsOf = (more: Partial<RoutingFacts> = {}): RoutingFacts => ({
  models,
  preferred: ['small', 'large'],
  rules: [],
  livePools: ['pool-of-large', 'pool-of-small', 'pool-of-tiny'],
  ...more,
});
const ruleOf = (name: string, when: Rule['when'], taken: string[], more: Partial<Rule> = {}): Rule => ({
  name,
  when,
  models: taken,
  confidence: 1,
  why: `because of ${name}`,
  ...more,
});

function inputOf(work: Work, facts: RoutingFacts): Input {
  const event = message('work.route', deriveId(runId, 'route'), 'manager', 'router', lineage, 1_000, {
    work,
  });
  const claim = { sequence: 1, deliveries: 1, process: 'router.tests' };
  return { id: event.id, type: 'work.route', event, atMs: 1_000, claim, facts };
}

/** The data of what is decided, which must fit its row. */
function decided<Name extends TypeName>(
  type: Name,
  work: Work,
  facts: RoutingFacts,
  route: Route = noRoute,
): DataOf<Name> {
  const input = inputOf(work, facts);
  const decision = decide(route, input);
  if (decision.do !== 'append' || decision.type !== type) throw new Error(JSON.stringify(decision));
  const { facts: given, claim, atMs } = input;
  const data = {
    ...decision.data,
    given: { atMs, inputId: input.id, process: claim.process, claim, facts: given, command: input.event },
  };
  expect(dataProblems(type, data)).toEqual([]);
  expect(decision).toMatchObject({ hop: 1, cyclesLeft: 2 });
  return data as unknown as DataOf<Name>;
}
const route = (work: Partial<Work>, facts: Partial<RoutingFacts>) =>
  decided('route.decided', workOf(work), factsOf(facts));

function stored(type: TypeName, data: unknown): Stored {
  const event = message(type, deriveId(runId, type), 'router', 'record', lineage, 1_000, data as never);
  return { journal: `yard.event.${taskId}.route.${runId}`, sequence: 1, event };
}

const long = 'x'.repeat(40_000);
const rules = {
  reviews: ruleOf('reviews', { role: 'reviewer' }, ['large']),
  tests: ruleOf('tests', { kind: 'tests' }, ['small']),
  goals: ruleOf('goals', { kind: 'goal' }, ['large']),
  long: ruleOf('long', { contextAbove: 10_000 }, ['large']),
  local: ruleOf('local', { tags: ['local'] }, ['large', 'small']),
  always: ruleOf('always', {}, ['large']),
  both: ruleOf('both', { role: 'coder', kind: 'tests' }, ['large']),
};

test.each<
  [string, Partial<Work>, Partial<RoutingFacts>, { model: string; rule: string; confidence?: number }]
>([
  ["the role's first choice", {}, {}, { model: 'small', rule: 'role', confidence: 0.8 }],
  ["the role's only model", {}, { preferred: ['large'] }, { model: 'large', rule: 'role', confidence: 0.95 }],
  [
    'a model asked for by name',
    { model: 'large' },
    { rules: [rules.tests] },
    { model: 'large', rule: 'asked', confidence: 1 },
  ],
  ['a rule by role', { role: 'reviewer' }, { rules: [rules.reviews] }, { model: 'large', rule: 'reviews' }],
  [
    'no rule of another role',
    { role: 'coder' },
    { rules: [rules.reviews] },
    { model: 'small', rule: 'role' },
  ],
  [
    'a rule by kind: tests',
    { goalIsTests: true },
    { rules: [rules.goals, rules.tests] },
    { model: 'small', rule: 'tests' },
  ],
  [
    'a rule by kind: goal',
    { goalIsTests: false },
    { rules: [rules.tests, rules.goals] },
    { model: 'large', rule: 'goals' },
  ],
  ['a rule by context', { notes: [long] }, { rules: [rules.long] }, { model: 'large', rule: 'long' }],
  ['no rule by context for a short work', {}, { rules: [rules.long] }, { model: 'small', rule: 'role' }],
  ['a rule by tags', {}, { rules: [rules.local] }, { model: 'small', rule: 'local', confidence: 0.7 }],
  [
    'a rule of which all must hold',
    { goalIsTests: false },
    { rules: [rules.both] },
    { model: 'small', rule: 'role' },
  ],
  [
    'the first rule that holds',
    {},
    { rules: [rules.always, rules.goals] },
    { model: 'large', rule: 'always' },
  ],
  [
    'the next rule where no model of the first can be used',
    {},
    { rules: [ruleOf('dead', {}, ['gone']), rules.always] },
    { model: 'large', rule: 'always' },
  ],
])('route: takes %s', (_name, work, facts, expected) => {
  expect(route(work, facts)).toMatchObject({
    ...expected,
    pool: `pool-of-${expected.model}`,
    why: expect.stringMatching(/\S/),
  });
});

test('route: says role, pool, model, fallback in order, and why', () => {
  expect(route({}, {})).toMatchObject({
    runId,
    role: 'coder',
    pool: 'pool-of-small',
    model: 'small',
    why: 'small is the first choice of the coder',
    choices: [{ model: 'small' }, { model: 'large' }],
    rejected: [],
    work: workOf(),
  });
  expect(Object.keys(route({}, {}).choices[0]!)).not.toContain('tags');
});

test('route: a dead pool is passed over, with the reason of the very model that was preferred', () => {
  const facts = { livePools: ['pool-of-large'], preferred: ['small', 'large', 'tiny', 'gone'] };
  expect(route({}, facts)).toMatchObject({
    model: 'large',
    confidence: 0.56,
    why: 'small is the first choice of the coder; small cannot be used: its pool "pool-of-small" has no live worker',
    choices: [{ model: 'large' }],
    rejected: [
      { model: 'small', why: 'its pool "pool-of-small" has no live worker' },
      {
        model: 'tiny',
        why: expect.stringMatching(
          /^its context window leaves 904 tokens to read and about 20\d\d are needed$/,
        ),
      },
      { model: 'gone', why: 'it is not configured' },
    ],
  });
});

test('route: tells which rules were passed over, and each rejection once', () => {
  const facts = {
    rules: [ruleOf('first', {}, ['gone']), ruleOf('second', { tags: ['gpu'] }, ['small', 'gone'])],
  };
  expect(route({}, facts)).toMatchObject({
    rule: 'role',
    why: 'small is the first choice of the coder; no model of the rule "first" can be used; no model of the rule "second" can be used',
    rejected: [
      { model: 'gone', why: 'it is not configured' },
      { model: 'small', why: 'it lacks the tag gpu' },
    ],
  });
});

test('route: a model that is named twice is one choice', () => {
  expect(route({}, { preferred: ['small', 'small', 'large'] }).choices).toHaveLength(2);
});

test('route: a model that was asked for has no other for its fallback', () => {
  expect(route({ model: 'large' }, {}).choices).toMatchObject([{ model: 'large' }]);
});

test.each<[string, Partial<Work>, Partial<RoutingFacts>, RegExp, RegExp]>([
  [
    'no pool is alive',
    {},
    { livePools: [] },
    /^small: its pool .* no live worker; large: its pool/,
    /switchyard start inference/,
  ],
  [
    'the one asked for is dead',
    { model: 'small' },
    { livePools: ['pool-of-large'] },
    /^small: its pool/,
    /start inference/,
  ],
  [
    'the one asked for is unknown',
    { model: 'constructor' },
    {},
    /^constructor: it is not configured$/,
    /under `models` in switchyard.yaml/,
  ],
  ['nothing is configured', {}, { preferred: [] }, /no model is configured for the coder/, /under `models`/],
  [
    'every window is too small',
    { goal: 'x'.repeat(2_000_000) },
    {},
    /large: its context window leaves/,
    /under `models`/,
  ],
])('route: waits where %s, and says what mends it', (_name, work, facts, why, mend) => {
  const waiting = decided('route.waiting', workOf(work), factsOf(facts));
  expect(waiting).toMatchObject({
    runId,
    role: 'coder',
    why: expect.stringMatching(why),
    mend: expect.stringMatching(mend),
  });
});

test('route: waits once, looks again, and decides when a pool appears', () => {
  const dead = factsOf({ livePools: [] });
  const waiting = evolve(noRoute, stored('route.waiting', decided('route.waiting', workOf(), dead)));
  expect(outbox(waiting)).toEqual([]);
  expect(decide(waiting, inputOf(workOf(), dead))).toEqual({ do: 'later', delayMs: 1000 });
  const data = decided('route.decided', workOf(), factsOf({ livePools: ['pool-of-large'] }), waiting);
  expect(evolve(waiting, stored('route.decided', data))).toMatchObject({
    phase: 'decided',
    choices: [{ model: 'large' }],
  });
});

test('route: is decided once, and owes its run the start for ever', () => {
  const route1 = evolve(noRoute, stored('route.decided', decided('route.decided', workOf(), factsOf())));
  expect(decide(route1, inputOf(workOf(), factsOf({ livePools: [] })))).toEqual({ do: 'nothing' });
  const start = {
    key: `start|${runId}`,
    to: { inbox: 'role', role: 'coder' },
    type: 'run.start',
    data: { work: workOf(), choices: [{ model: 'small' }, { model: 'large' }] },
    answer: { journal: { entity: 'run', role: 'coder', id: runId }, isAnsweredBy: ['*'] },
  };
  expect(outbox(route1)).toMatchObject([start]);
  expect(dataProblems('run.start', outbox(route1)[0]!.data)).toEqual([]);
  expect(outbox(noRoute)).toEqual([]);
});

test('route: other messages decide nothing', () => {
  expect(decide(noRoute, { ...inputOf(workOf(), factsOf()), type: 'run.start' })).toEqual({ do: 'nothing' });
});

const name = fc.constantFrom('a', 'b', 'c', 'd', 'gone');
const tags = fc.subarray(['local', 'code']);
const anyFacts: fc.Arbitrary<RoutingFacts> = fc
  .record({
    pools: fc.tuple(
      ...['a', 'b', 'c', 'd'].map(() =>
        fc.record({
          pool: fc.constantFrom('p', 'q', 'r'),
          tags,
          contextTokens: fc.constantFrom(4000, 8000, 40_000),
        }),
      ),
    ),
    preferred: fc.array(name, { maxLength: 4 }),
    rules: fc.array(
      fc.record({
        name: fc.string(),
        when: fc.record(
          {
            role: fc.constantFrom('coder', 'reviewer'),
            kind: fc.constantFrom('tests', 'goal'),
            contextAbove: fc.nat(20_000),
            tags,
          },
          { requiredKeys: [] },
        ),
        models: fc.array(name, { minLength: 1, maxLength: 3 }),
        confidence: fc.double({ min: 0, max: 1, noNaN: true }),
        why: fc.string(),
      }),
      { maxLength: 3 },
    ),
    livePools: fc.subarray(['p', 'q', 'r']),
  })
  .map(({ pools, ...facts }) => ({
    ...facts,
    models: Object.fromEntries(
      pools.map((one, index) => ['abcd'[index]!, modelOf('abcd'[index]!, { ...one, maxTokens: 1000 })]),
    ),
  }));
const anyWork = fc
  .record(
    {
      role: fc.constantFrom('coder' as const, 'reviewer' as const),
      goalIsTests: fc.boolean(),
      goal: fc.nat(60_000).map((length) => 'g'.repeat(length)),
      model: name,
    },
    { requiredKeys: ['role', 'goalIsTests', 'goal'] },
  )
  .map(workOf);

test('route: never a dead pool, never a window that is too small, never another than the one asked for', () => {
  fc.assert(
    fc.property(anyWork, anyFacts, (work, facts) => {
      const decision = decide(noRoute, inputOf(work, facts));
      if (decision.do !== 'append') throw new Error('nothing was decided');
      if (decision.type === 'route.waiting') return;
      const { choices, model, confidence } = decided('route.decided', work, facts);
      expect(choices[0]!.model).toBe(model);
      expect(confidence).toBeLessThanOrEqual(1);
      for (const choice of choices) {
        expect(facts.livePools).toContain(choice.pool);
        expect(contextEstimate(work)).toBeLessThanOrEqual(choice.contextTokens - choice.maxTokens);
        if (work.model) expect(choice.model).toBe(work.model);
      }
    }),
    { numRuns: 300 },
  );
});

test('route: the same work and facts decide the same, in whatever order the live pools come', () => {
  fc.assert(
    fc.property(anyWork, anyFacts, (work, facts) => {
      const reversed = { ...structuredClone(facts), livePools: facts.livePools.toReversed() };
      expect(decide(noRoute, inputOf(work, reversed))).toEqual(decide(noRoute, inputOf(work, facts)));
    }),
    { numRuns: 200 },
  );
});

test('context: what is known of the work is counted, with room for the first files', () => {
  expect(contextEstimate(workOf())).toBeGreaterThan(2000);
  const output = long;
  const lastTests = {
    testsPass: false,
    passed: null,
    failed: null,
    exitCode: 1,
    output,
    restored: [],
    sandbox: 'none' as const,
    durationMs: 1,
  };
  expect(contextEstimate(workOf({ lastTests }))).toBeGreaterThan(contextEstimate(workOf()) + 10_000);
});
