import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evolveBreaker, noBreaker, type Breaker } from '../schemas/breaker.ts';
import type { FailureCause } from '../schemas/call.ts';
import { deriveId, message } from '../schemas/envelope.ts';
import { dataProblems } from '../schemas/validate.ts';
import {
  breakerSettings,
  nextChange,
  observe,
  type BreakerChange,
  type BreakerFacts,
  type Observation,
  type Tally,
} from './breaker.ts';

const settings = {
  ...breakerSettings,
  failures: 3,
  windowMs: 100,
  firstRestMs: 10,
  longestRestMs: 40,
  probeMs: 20,
  forgetMs: 200,
};
const me = 'inference.one';
let made = 0;
const seen = (
  cause: FailureCause | undefined,
  atMs: number,
  more: Partial<Observation> = {},
): Observation => ({
  key: `k${(made += 1)}`,
  model: 'small',
  atMs,
  ...(cause ? { cause } : {}),
  ...more,
});
const tallyOf = (...all: Observation[]): Tally =>
  all.reduce<Tally>((tally, one) => observe(tally, one, settings), []);
const failures = (count: number, atMs: number, more: Partial<Observation> = {}) =>
  Array.from({ length: count }, () => seen('server', atMs, more));
const facts = (atMs: number, more: Partial<BreakerFacts> = {}): BreakerFacts => ({
  atMs,
  process: me,
  tally: [],
  ...more,
});

/** The breaker after a change, by way of the event that tells it. */
function after(breaker: Breaker, change: BreakerChange, atMs: number): Breaker {
  const { type, ...told } = change;
  const data = { given: { atMs, inputId: 'i', process: me }, pool: 'p', ...told };
  expect(dataProblems(type, data)).toEqual([]);
  const lineage = { taskId: deriveId('p'), correlationId: 'c', causationId: 'i', hop: 0, cyclesLeft: 0 };
  const event = message(type, deriveId('e'), 'inference', 'record', lineage, atMs, data as never);
  return evolveBreaker(breaker, { journal: 'yard.event.mesh.breaker.p', sequence: 1, event });
}
const isOpen = (untilMs: number, trips = 1): Breaker => ({
  ...noBreaker,
  phase: 'open',
  sinceMs: 1000,
  untilMs,
  trips,
});
const isProbed: Breaker = {
  ...noBreaker,
  phase: 'half-open',
  sinceMs: 1010,
  untilMs: 1030,
  trips: 1,
  probe: me,
};

test('breaker: enough failures within the window open it, with why and counts', () => {
  const tally = tallyOf(seen(undefined, 990), ...failures(2, 995), seen('timeout', 1000));
  expect(nextChange(noBreaker, facts(1000, { tally }), settings)).toEqual({
    type: 'breaker.opened',
    why: '3 of 4 attempts of small failed within 0.1 s (1 timeout, 2 server)',
    untilMs: 1010,
    trips: 1,
    counts: { failures: 3, successes: 1, causes: { timeout: 1, server: 2 } },
  });
});

test.each<[string, Tally]>([
  ['too few failures', tallyOf(...failures(2, 1000))],
  ['failures outside of the window', failures(3, 899)],
  [
    'failures among as many successes',
    tallyOf(...failures(3, 1000), ...[1, 2, 3].map(() => seen(undefined, 1000))),
  ],
  [
    'another model of the pool that answers',
    tallyOf(...failures(5, 1000), seen(undefined, 1000, { model: 'large' })),
  ],
  [
    'what is the fault of single requests',
    tallyOf(
      ...(['request', 'schema', 'breaker', 'late'] as const).flatMap((cause) =>
        [1, 2, 3].map(() => seen(cause, 1000)),
      ),
    ),
  ],
  [
    'one worker that ended on many calls',
    tallyOf(...[1, 2, 3, 4].map(() => seen('crash', 1000, { key: 'inference.gone' }))),
  ],
])('breaker: %s do not open it', (_name, tally) => {
  expect(nextChange(noBreaker, facts(1000, { tally }), settings)).toBeUndefined();
});

test.each<FailureCause>(['refused', 'quota', 'timeout', 'server', 'crash'])('breaker: %s counts', (cause) => {
  const tally = tallyOf(seen(cause, 1000), seen(cause, 1000), seen(cause, 1000));
  expect(nextChange(noBreaker, facts(1000, { tally }), settings)).toMatchObject({
    counts: { causes: { [cause]: 3 } },
  });
});

test('breaker: of several processes each sees its share of the failures, and a few never open it', () => {
  const six = { ...settings, failures: 6 };
  const opens = (count: number, workers: number) =>
    nextChange(noBreaker, facts(1000, { tally: failures(count, 1000), workers }), six) !== undefined;
  expect([opens(5, 1), opens(6, 1), opens(2, 2), opens(3, 2)]).toEqual([false, true, false, true]);
  expect([opens(2, 9), opens(3, 9), opens(5, 0), opens(6, 0)]).toEqual([false, true, false, true]);
});

test('breaker: failures from before its last change do not count again', () => {
  const closed: Breaker = { ...noBreaker, sinceMs: 1000 };
  expect(nextChange(closed, facts(1001, { tally: failures(9, 1000) }), settings)).toBeUndefined();
});

test('breaker: a queue that its slots cannot clear in time opens it, a long one of short calls does not', () => {
  const queue = { waiting: 10, slots: 2, callMs: 30_000 };
  expect(nextChange(noBreaker, facts(1000, { queue }), settings)).toMatchObject({
    type: 'breaker.opened',
    why: 'overload: 10 calls wait, and its 2 slots at 30 s a call need 150 s for them',
    queue,
  });
  expect(nextChange(noBreaker, facts(1000, { queue: { ...queue, callMs: 300 } }), settings)).toBeUndefined();
});

test('breaker: it rests as long as the provider asks, within the longest rest', () => {
  const asking = (retryAfterMs: number) =>
    nextChange(noBreaker, facts(1000, { tally: failures(3, 1000, { retryAfterMs }) }), settings)?.untilMs;
  expect(asking(25)).toBe(1025);
  expect(asking(9999)).toBe(1040);
});

test('breaker: after its rest one probe half-opens it, and no earlier', () => {
  expect(nextChange(isOpen(1010), facts(1009, { tally: failures(9, 1005) }), settings)).toBeUndefined();
  expect(nextChange(isOpen(1010), facts(1010), settings)).toMatchObject({
    type: 'breaker.half_opened',
    probe: me,
    untilMs: 1030,
    trips: 1,
  });
});

test('breaker: its probe closes it, or opens it for twice as long', () => {
  const came = (isWell: boolean, more: Partial<BreakerFacts> = {}) =>
    nextChange(
      isProbed,
      facts(1020, { probed: { sinceMs: 1010, isWell, why: 'so it is' }, ...more }),
      settings,
    );
  expect(came(true)).toMatchObject({ type: 'breaker.closed', why: 'so it is', untilMs: 1220 });
  expect(came(false)).toMatchObject({ type: 'breaker.opened', why: 'so it is', untilMs: 1040, trips: 2 });
  const queue = { waiting: 10, slots: 1, callMs: 30_000 };
  expect(came(true, { queue })).toMatchObject({
    type: 'breaker.opened',
    why: expect.stringContaining('overload'),
  });
});

test.each<[string, Partial<BreakerFacts>]>([
  ['an older probe', { probed: { sinceMs: 900, isWell: true, why: '' } }],
  [
    'the probe of another process',
    { process: 'inference.two', probed: { sinceMs: 1010, isWell: true, why: '' } },
  ],
  ['calls that answer', { tally: [seen(undefined, 1020)] }],
  ['calls that fail', { tally: failures(9, 1020) }],
])('breaker: %s do not move a half-open one', (_name, more) => {
  expect(nextChange(isProbed, facts(1020, more), settings)).toBeUndefined();
});

test('breaker: a probe whose process is gone is made by another, once its time is over', () => {
  const other = { process: 'inference.two' };
  expect(nextChange(isProbed, facts(1029, other), settings)).toBeUndefined();
  expect(nextChange(isProbed, facts(1030, other), settings)).toMatchObject({
    type: 'breaker.half_opened',
    probe: 'inference.two',
    why: `no word came of the probe by ${me}`,
  });
});

test('breaker: one that opens again soon rests longer; one that kept closed for long begins anew', () => {
  const closed: Breaker = { ...noBreaker, trips: 2, sinceMs: 1000, untilMs: 1200 };
  const opens = (atMs: number) => nextChange(closed, facts(atMs, { tally: failures(3, atMs) }), settings);
  expect(opens(1100)).toMatchObject({ trips: 3, untilMs: 1140 });
  expect(opens(1200)).toMatchObject({ trips: 1, untilMs: 1210 });
});

type Step =
  | { does: 'wait'; forMs: number }
  | { does: 'try'; cause: FailureCause | undefined; model: string }
  | { does: 'probe'; isWell: boolean }
  | { does: 'look'; process: string; waiting: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ does: fc.constant('wait' as const), forMs: fc.integer({ min: 0, max: 60 }) }),
  fc.record({
    does: fc.constant('try' as const),
    cause: fc.constantFrom<FailureCause | undefined>(undefined, 'server', 'quota', 'request', 'crash'),
    model: fc.constantFrom('small', 'large'),
  }),
  fc.record({ does: fc.constant('probe' as const), isWell: fc.boolean() }),
  fc.record({
    does: fc.constant('look' as const),
    process: fc.constantFrom(me, 'inference.two'),
    waiting: fc.constantFrom(0, 0, 1000),
  }),
);

test('breaker: whatever happens, it goes round in order, rests long enough, and is probed by one at a time', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let breaker = noBreaker;
      let tally: Tally = [];
      let atMs = 1000;
      const probes = new Map<string, BreakerFacts['probed']>();
      const order: string[] = [];
      for (const one of steps) {
        atMs += 1;
        if (one.does === 'wait') atMs += one.forMs;
        if (one.does === 'try') tally = observe(tally, seen(one.cause, atMs, { model: one.model }), settings);
        if (one.does === 'probe' && breaker.probe)
          probes.set(breaker.probe, { sinceMs: breaker.sinceMs, isWell: one.isWell, why: 'came' });
        if (one.does !== 'look') continue;
        const queue = { waiting: one.waiting, slots: 1, callMs: 1000 };
        const given = { atMs, process: one.process, tally, queue, probed: probes.get(one.process) };
        const change = nextChange(breaker, given, settings);
        expect(nextChange(breaker, given, settings)).toEqual(change);
        if (!change) continue;
        const from = breaker;
        breaker = after(breaker, change, atMs);
        order.push(`${from.phase} ${change.type}`);
        if (change.type === 'breaker.opened') {
          const restMs = change.untilMs - atMs;
          expect(restMs).toBeGreaterThanOrEqual(settings.firstRestMs);
          expect(restMs).toBeLessThanOrEqual(settings.longestRestMs);
        }
        if (change.type === 'breaker.half_opened') expect(atMs).toBeGreaterThanOrEqual(from.untilMs);
        if (change.type === 'breaker.closed') {
          expect(from.probe).toBe(one.process);
          expect(probes.get(one.process)).toMatchObject({ sinceMs: from.sinceMs, isWell: true });
        }
      }
      const allowed = [
        'closed breaker.opened',
        'open breaker.half_opened',
        'half-open breaker.half_opened',
        'half-open breaker.opened',
        'half-open breaker.closed',
      ];
      for (const one of order) expect(allowed).toContain(one);
    }),
    { numRuns: 300 },
  );
});
