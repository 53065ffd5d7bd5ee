import { expect, test } from 'vitest';
import { noBreaker, type Breaker } from '../schemas/breaker.ts';
import { openBreakerKeeper, type BreakerJournals, type KeeperOptions } from './breaker-keeper.ts';
import { queueOfPool, slotsOfPool } from './breaker-queue.ts';
import { breakerSettings, type BreakerChange } from './breaker.ts';
import { openCallLoad } from './call-load.ts';

const settings = { ...breakerSettings, failures: 3, firstRestMs: 100, probeMs: 1000 };
const quiet = { info() {}, warn() {} };

/** A journal in memory with the compare-and-set of a real one, for any number of processes. */
function openMemory() {
  const changes: (BreakerChange & { by: string })[] = [];
  let breaker: Breaker = noBreaker;
  const journalsOf = (process: string): BreakerJournals => ({
    read: async () => ({ breaker, tail: changes.length }),
    async append(_pool, { tail }, change, atMs) {
      if (tail !== changes.length) return undefined;
      changes.push({ ...change, by: process });
      const { type, counts: _counts, queue: _queue, ...told } = change;
      const phase = {
        'breaker.opened': 'open',
        'breaker.half_opened': 'half-open',
        'breaker.closed': 'closed',
      } as const;
      breaker = { ...noBreaker, ...told, phase: phase[type], sinceMs: atMs };
      return { breaker, tail: changes.length };
    },
  });
  return { changes, journalsOf };
}

/** A process that keeps a breaker, on a clock that the test moves. */
function aKeeper(memory: ReturnType<typeof openMemory>, more: Partial<KeeperOptions> = {}) {
  const process = more.process ?? 'inference.one';
  return openBreakerKeeper({
    process,
    pools: ['p'],
    journals: memory.journalsOf(process),
    probe: async () => ({ isWell: true, why: 'it answered' }),
    queueOf: async () => undefined,
    workersOf: () => 1,
    log: quiet,
    now: () => clock,
    settings,
    ...more,
  });
}
let clock = 1000;
const server = { cause: 'server' as const };
/** Lets what was begun come to its end: nothing here waits for a clock. */
const settled = async () => {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
};
const types = (memory: ReturnType<typeof openMemory>) => memory.changes.map(({ type }) => type);

test('keeper: opens at the failure that is one too many, and calls are told to rest', async () => {
  const memory = openMemory();
  const keeper = aKeeper(memory);
  for (let count = 0; count < 3; count += 1) {
    keeper.failed('p', 'small', server);
    await settled();
  }
  expect(types(memory)).toEqual(['breaker.opened']);
  expect(keeper.restOf('p')).toMatchObject({ untilMs: clock + 100, why: expect.stringContaining('3 of 3') });
  expect(keeper.restOf('other')).toBeUndefined();
});

test('keeper: of several processes one half-opens and probes, and all hear of it', async () => {
  const memory = openMemory();
  let probes = 0;
  const probe = async () => {
    probes += 1;
    return { isWell: true, why: 'it answered' };
  };
  const keepers = ['one', 'two', 'three'].map((name) =>
    aKeeper(memory, { process: `inference.${name}`, probe }),
  );
  for (let count = 0; count < 3; count += 1) keepers[0]!.failed('p', 'small', server);
  await settled();
  await keepers[0]!.tick();
  clock += 100;
  await Promise.all(keepers.map((keeper) => keeper.tick()));
  await settled();
  await Promise.all(keepers.map((keeper) => keeper.tick()));
  expect(types(memory)).toEqual(['breaker.opened', 'breaker.half_opened', 'breaker.closed']);
  expect(probes).toBe(1);
  expect(memory.changes[2]!.by).toBe(memory.changes[1]!.probe);
  for (const keeper of keepers) expect(keeper.restOf('p')).toBeUndefined();
});

test('keeper: a probe that throws is one that failed, and the pool rests longer', async () => {
  const memory = openMemory();
  const keeper = aKeeper(memory, {
    probe() {
      throw new RangeError('no number');
    },
  });
  for (let count = 0; count < 3; count += 1) keeper.failed('p', 'small', server);
  await settled();
  await keeper.tick();
  clock += 100;
  await keeper.tick();
  await settled();
  expect(types(memory)).toEqual(['breaker.opened', 'breaker.half_opened', 'breaker.opened']);
  expect(memory.changes[2]).toMatchObject({ trips: 2, why: expect.stringContaining('no number') });
});

test('keeper: a successor counts the workers that ended before it, once each', async () => {
  const memory = openMemory();
  const call = { pool: 'p', model: 'small', callId: 'c' };
  const keeper = aKeeper(memory);
  // One worker ended on many calls.
  for (const callId of ['a', 'b', 'c']) keeper.crashed({ ...call, callId, epoch: 1 }, 'inference.first');
  await settled();
  await keeper.tick();
  expect(types(memory)).toEqual([]);
  // The third worker in a row on one call, seen by a process that knows nothing of the others.
  const successor = aKeeper(memory, { process: 'inference.two' });
  successor.crashed({ ...call, epoch: 3 }, 'inference.third');
  await settled();
  await successor.tick();
  expect(memory.changes).toMatchObject([{ type: 'breaker.opened', counts: { causes: { crash: 3 } } }]);
});

test('keeper: an overload opens it, but what waits already is not told to rest', async () => {
  const memory = openMemory();
  const keeper = aKeeper(memory, { queueOf: async () => ({ waiting: 100, slots: 1, callMs: 60_000 }) });
  await keeper.tick();
  expect(types(memory)).toEqual(['breaker.opened']);
  expect(keeper.restOf('p')).toBeUndefined();
});

test('keeper: a broker that is away is no reason to end', async () => {
  const journals: BreakerJournals = {
    read: async () => {
      throw new Error('away');
    },
    append: async () => undefined,
  };
  await expect(aKeeper(openMemory(), { journals }).tick()).resolves.toBeUndefined();
});

test('queue: it is asked for only where all own slots are taken and a call has ended', async () => {
  const load = openCallLoad();
  let asked = 0;
  const waiting = async () => (asked += 1);
  const workers = [
    {
      models: [
        { pool: 'p', slots: 4 },
        { pool: 'p', slots: 4 },
        { pool: 'q', slots: 9 },
      ],
    },
    { models: [{ pool: 'p', slots: 2 }] },
    {},
  ];
  const look = () => queueOfPool({ pool: 'p', ownSlots: 1, workers, load, nowMs: 2000, waiting });
  expect(slotsOfPool('p', workers)).toBe(6);
  load.began('p');
  expect(await look()).toBeUndefined();
  load.ended('p', { model: 'small', outputTokens: 10, durationMs: 500, atMs: 1000 });
  expect(await look()).toBeUndefined();
  expect(asked).toBe(0);
  load.began('p');
  expect(await look()).toEqual({ waiting: 1, slots: 6, callMs: 500 });
});

test('load: speed is that of the last minute, and what is busy is counted by pool', () => {
  const load = openCallLoad();
  const ended = (outputTokens: number, durationMs: number, atMs: number) => {
    load.began('p');
    load.ended('p', { model: 'small', outputTokens, durationMs, atMs });
  };
  ended(1000, 1000, 1000);
  ended(100, 2000, 50_000);
  ended(50, 1000, 100_000);
  expect(load.tokensPerSecond('small', 100_000)).toBe(50);
  expect(load.tokensPerSecond('small', 300_000)).toBeUndefined();
  expect(load.tokensPerSecond('large', 100_000)).toBeUndefined();
  load.began('p');
  load.began('p');
  load.ended('p');
  expect([load.busy('p'), load.busy('q')]).toEqual([1, 0]);
});
