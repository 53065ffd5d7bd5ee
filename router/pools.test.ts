import { expect, test } from 'vitest';
import { examples } from '../schemas/examples.ts';
import { deriveId, message } from '../schemas/envelope.ts';
import type { Input } from '../schemas/service.ts';
import { dataProblems } from '../schemas/validate.ts';
import { loadOf, preferredOf, withAnnounced, type AnnouncedModel } from './announced.ts';
import { decide, noRoute, type RoutableModel, type RoutingFacts } from './route.ts';

const { work } = examples['work.route'];
const since = '2026-11-20T10:00:00.000Z';

const modelOf = (model: string, more: Partial<RoutableModel> = {}): RoutableModel => ({
  model,
  pool: `pool-of-${model}`,
  backend: 'openai',
  contextTokens: 32_768,
  maxTokens: 4096,
  timeoutMs: 60_000,
  inputMicroDollars: 0,
  outputMicroDollars: 0,
  tags: [],
  capabilities: ['tools', 'streaming'],
  isLocal: true,
  ...more,
});
const factsOf = (more: Partial<RoutingFacts> = {}): RoutingFacts => ({
  models: { first: modelOf('first'), second: modelOf('second'), third: modelOf('third') },
  preferred: ['first', 'second', 'third'],
  rules: [],
  livePools: ['pool-of-first', 'pool-of-second', 'pool-of-third'],
  mode: 'local+api',
  breakers: {},
  ...more,
});

/** What is decided on these facts, valid by its row and the same each time. */
function routed(more: Partial<RoutingFacts>) {
  const facts = factsOf(more);
  const lineage = { taskId: work.runId, correlationId: work.runId, causationId: 'x', hop: 0, cyclesLeft: 2 };
  const event = message('work.route', deriveId('r'), 'manager', 'router', lineage, 1000, { work });
  const claim = { sequence: 1, deliveries: 1, process: 'router.one' };
  const input: Input = { id: event.id, type: 'work.route', event, atMs: 1000, claim, facts };
  const decision = decide(noRoute, input);
  expect(decide(noRoute, structuredClone(input))).toEqual(decision);
  if (decision.do !== 'append') throw new Error('nothing was decided');
  const given = { atMs: 1000, inputId: input.id, process: claim.process, claim, facts, command: event };
  expect(dataProblems(decision.type, { ...decision.data, given })).toEqual([]);
  return decision as typeof decision & {
    data: { choices: { model: string }[]; rejected: unknown[]; why: string; mend: string };
  };
}
const choicesOf = (more: Partial<RoutingFacts>) => routed(more).data.choices.map(({ model }) => model);

test('pools: an open breaker is as a dead pool, with since when and why', () => {
  const breakers = { 'pool-of-first': { phase: 'open' as const, since, why: '5 of 5 attempts failed' } };
  const { data } = routed({ breakers });
  expect(data.choices.map(({ model }) => model)).toEqual(['second', 'third']);
  const why = `its breaker is open since ${since}: 5 of 5 attempts failed`;
  expect(data.rejected).toEqual([{ model: 'first', why }]);
  expect(data.why).toContain(`first cannot be used: ${why}`);
});

test('pools: a half-open breaker is a last choice, behind all that are well', () => {
  const breakers = { 'pool-of-first': { phase: 'half-open' as const, since, why: 'it rested for 5 s' } };
  const { data } = routed({ breakers });
  expect(data.choices.map(({ model }) => model)).toEqual(['second', 'third', 'first']);
  expect(data.why).toContain('first is only a last choice: its breaker is half-open (it rested for 5 s)');
  expect(choicesOf({ breakers, preferred: ['first'] })).toEqual(['first']);
});

test('pools: where all breakers are open the route waits, and says that it goes on by itself', () => {
  const open = { phase: 'open' as const, since, why: 'overload' };
  const decision = routed({
    preferred: ['first', 'second'],
    breakers: { 'pool-of-first': open, 'pool-of-second': open },
  });
  expect(decision).toMatchObject({ type: 'route.waiting', againMs: 1000 });
  expect(decision.data.mend).toMatch(/goes on by itself/);
});

test('pools: in local-only a model elsewhere is never chosen, however it is asked for', () => {
  const models = { ...factsOf().models, second: modelOf('second', { isLocal: false }) };
  const local = { models, mode: 'local-only' as const };
  expect(choicesOf(local)).toEqual(['first', 'third']);
  expect(routed(local).data.rejected).toEqual([
    { model: 'second', why: 'it is asked elsewhere, and the mode is local-only' },
  ]);
  expect(routed({ ...local, preferred: ['second'] }).data.mend).toMatch(/mode: local\+api/);
  expect(choicesOf({ models })).toEqual(['first', 'second', 'third']);
});

test('pools: a model that cannot call tools is given no work', () => {
  const models = { ...factsOf().models, first: modelOf('first', { capabilities: ['embeddings'] }) };
  expect(routed({ models }).data).toMatchObject({
    choices: [{ model: 'second' }, { model: 'third' }],
    rejected: [{ model: 'first', why: 'it cannot call tools' }],
  });
});

test('pools: a pool whose live workers do not serve the model is none for it', () => {
  const load = { second: { slots: 4, freeSlots: 0 }, third: { slots: 1, freeSlots: 1 } };
  expect(routed({ load }).data.rejected).toEqual([
    { model: 'first', why: 'no live worker of its pool "pool-of-first" serves it' },
  ]);
  // A full worker keeps its place: preference goes before load.
  expect(choicesOf({ load })).toEqual(['second', 'third']);
});

test('pools: nothing of the router goes to the run', () => {
  expect(Object.keys(routed({}).data.choices[0]!).toSorted()).toEqual(
    Object.keys(examples['run.start'].choices[0]!).toSorted(),
  );
});

const announcedOf = (name: string, more: Partial<AnnouncedModel> = {}): AnnouncedModel => ({
  name,
  pool: 'gpu',
  backend: 'llama',
  contextTokens: 8192,
  maxTokens: 1024,
  tags: ['local'],
  slots: 4,
  freeSlots: 3,
  ...more,
});

test('announced: a gpu-worker brings its model along; the configured one of the same name wins', () => {
  const { models } = factsOf();
  const all = withAnnounced(models, [announcedOf('tiny'), announcedOf('first')]);
  expect(Object.keys(all)).toEqual(['first', 'second', 'third', 'tiny']);
  expect(all['first']).toBe(models['first']);
  expect(all['tiny']).toMatchObject({ pool: 'gpu', inputMicroDollars: 0, isLocal: true });
  expect(all['tiny']!.capabilities).toContain('tools');
  const facts = { models: all, livePools: ['gpu'], preferred: ['tiny'] };
  expect(choicesOf(facts)).toEqual(['tiny']);
});

test('announced: a model that a server elsewhere answers for is not brought along, since nobody said what it costs', () => {
  expect(withAnnounced({}, [announcedOf('gpt', { backend: 'openai' })])).toEqual({});
});

test('announced: they follow the models of a role that takes any, and stay out of a list of its own', () => {
  const models = withAnnounced({ a: modelOf('a'), b: modelOf('b') }, [announcedOf('tiny')]);
  expect(preferredOf(['b', 'a'], ['a', 'b'], ['a', 'b', 'played'], models)).toEqual(['b', 'a', 'tiny']);
  expect(preferredOf(['b'], ['a', 'b'], ['a', 'b'], models)).toEqual(['b']);
  expect(preferredOf([], [], [], withAnnounced({}, [announcedOf('tiny')]))).toEqual(['tiny']);
});

test('announced: the load of a model is that of all its workers', () => {
  const workers = [announcedOf('tiny', { tokensPerSecond: 20 }), announcedOf('tiny', { freeSlots: 0 })];
  expect(loadOf(workers)).toEqual({ tiny: { slots: 8, freeSlots: 3, tokensPerSecond: 20 } });
});
