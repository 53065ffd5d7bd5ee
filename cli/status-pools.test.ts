import { expect, test } from 'vitest';
import type { Heartbeat, ServedModel } from '../bus/registry.ts';
import { textOf } from '../observability/span.ts';
import { noBreaker, type Breaker } from '../schemas/breaker.ts';
import { poolNames, poolText, poolViews } from './status-pools.ts';

const model: ServedModel = {
  name: 'small',
  pool: 'gpu',
  backend: 'llama',
  quantisation: 'Q4_K_M',
  contextTokens: 8192,
  maxTokens: 1024,
  tags: [],
  slots: 4,
  freeSlots: 1,
  queued: 0,
  tokensPerSecond: 21.5,
  outputTokensPerSecond: 60,
  memoryBytes: 900 * 1_048_576,
  threads: 3,
};
const heartbeat = (process: string, models: ServedModel[]): Heartbeat => ({
  role: 'inference',
  process,
  host: 'here',
  pid: 7,
  version: '0',
  pools: [],
  tags: [],
  slots: 8,
  busySlots: 0,
  memoryBytes: 1_048_576,
  threads: 9,
  models,
  startedAtMs: 0,
  atMs: 0,
});
const queue = (pool: string, waiting: number, inHand: number) => ({
  consumer: `pool-${pool}`,
  waiting,
  inHand,
});
const viewsOf = (living: Heartbeat[], breakers: Record<string, Breaker> = {}) => {
  const backlogs = [queue('gpu', 5, 3), queue('idle', 0, 0)];
  return poolViews(poolNames(['gpu'], living, backlogs), {
    living,
    backlogs,
    breakers: new Map(Object.entries(breakers)),
  });
};
const saidOf = (...given: Parameters<typeof viewsOf>) =>
  poolText(viewsOf(...given), 60_000)
    .map(textOf)
    .join('\n');

test('status: a pool adds up what its workers say, and names each with its model', () => {
  const free = { ...model, freeSlots: 4, outputTokensPerSecond: 0.5 };
  const [pool] = viewsOf([heartbeat('inference.b', [model]), heartbeat('inference.a', [free])]);
  expect(pool).toMatchObject({
    pool: 'gpu',
    waiting: 5,
    inHand: 3,
    slots: 8,
    freeSlots: 5,
    tokensPerSecond: 60.5,
  });
  expect(pool!.workers.map((one) => [one.process, one.freeSlots, one.threads])).toEqual([
    ['inference.a', 4, 3],
    ['inference.b', 1, 3],
  ]);
  const said = saidOf([heartbeat('inference.b', [model])]);
  expect(said).toContain('pool gpu: 5 calls waiting, 1 of 4 slots free, 60 tokens/s');
  expect(said).toMatch(/inference\.b +small +Q4_K_M +8192 +1\/4 +60\.0 +21\.5 +900 MiB +3/);
  expect(said).not.toContain('GPU');
  expect(said).not.toContain('breaker');
});

test('status: models of one pool share the slots of their process', () => {
  const one: ServedModel = { ...model, backend: 'openai', pool: 'cloud' };
  const { quantisation: _, memoryBytes: __, outputTokensPerSecond: ___, threads: ____, ...bare } = one;
  const pools = viewsOf([heartbeat('inference.a', [bare, { ...bare, name: 'large', freeSlots: 2 }])]);
  expect(pools.map((each) => each.pool)).toEqual(['cloud', 'gpu']);
  expect(pools[0]).toMatchObject({ slots: 4, freeSlots: 2, tokensPerSecond: 0 });
  // What a model does not tell is told by its process.
  expect(pools[0]!.workers[0]).toMatchObject({ model: 'large', memoryBytes: 1_048_576, threads: 9 });
});

test('status: a card is shown where one is told of, a pool without workers, and a breaker that is not closed', () => {
  const card = { ...model, gpuMemoryBytes: 5000 * 1_048_576, gpuUtilisation: 87 };
  expect(saidOf([heartbeat('inference.b', [card]), heartbeat('inference.c', [model])])).toMatch(
    /GPU memory +GPU busy[^]*5000 MiB +87 %[^]*- +- +3/,
  );
  const open: Breaker = {
    ...noBreaker,
    phase: 'open',
    why: '5 of 5 attempts failed',
    sinceMs: 50_000,
    untilMs: 65_000,
    trips: 2,
  };
  const said = saidOf([], { gpu: open });
  expect(said).toContain('pool gpu: 5 calls waiting, no live worker serves it');
  expect(said).toContain('breaker open for 10.0s (2 times in a row), probed in 5.0s: 5 of 5 attempts failed');
  const asking = saidOf([], { gpu: { ...open, phase: 'half-open', probe: 'inference.d' } });
  expect(asking).toContain('inference.d asks whether it is well');
});
