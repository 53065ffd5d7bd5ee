import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideRetry, maxAttempts } from './retry.ts';
import type { FailedAttempt } from './retry.ts';

const failed = (more: Partial<FailedAttempt> = {}): FailedAttempt => ({
  kind: 'retryable',
  attempts: 1,
  retryAfterMs: undefined,
  leftMs: 60_000,
  jitter: 0,
  ...more,
});

test('retry: the wait doubles, half of it random', () => {
  const waits = (jitter: number) => [1, 2, 3].map((attempts) => decideRetry(failed({ attempts, jitter })));
  expect(waits(0)).toEqual([{ waitMs: 250 }, { waitMs: 500 }, { waitMs: 1000 }]);
  expect(waits(0.999)).toEqual([{ waitMs: 500 }, { waitMs: 1000 }, { waitMs: 1999 }]);
});

test('retry: what is permanent is not asked again', () => {
  expect(decideRetry(failed({ kind: 'permanent' }))).toEqual({ giveUp: 'another try would not help' });
});

test('retry: the fourth attempt is the last', () => {
  expect(decideRetry(failed({ attempts: 3 }))).toHaveProperty('waitMs');
  expect(decideRetry(failed({ attempts: 4 }))).toEqual({ giveUp: '4 attempts failed' });
});

test('retry: a provider that names a time gets it, and those who wait for the same come one by one', () => {
  expect(decideRetry(failed({ retryAfterMs: 7000 }))).toEqual({ waitMs: 7000 });
  expect(decideRetry(failed({ retryAfterMs: 7000, jitter: 0.5 }))).toEqual({ waitMs: 7250 });
});

test('retry: it does not wait past the deadline', () => {
  expect(decideRetry(failed({ retryAfterMs: 90_000, leftMs: 10_000 }))).toEqual({
    giveUp: 'the next try would be due in 90.0 s, but only 10.0 s are left',
  });
  expect(decideRetry(failed({ leftMs: -5 }))).toHaveProperty('giveUp');
});

test('retry: whatever happened, a wait is shorter than what is left and not shorter than was asked for', () => {
  const any = fc.record({
    kind: fc.constantFrom('permanent' as const, 'retryable' as const),
    attempts: fc.integer({ min: 1, max: 10 }),
    retryAfterMs: fc.option(fc.integer({ min: 0, max: 1e7 }), { nil: undefined }),
    leftMs: fc.integer({ min: -1e5, max: 1e7 }),
    jitter: fc.double({ min: 0, max: 0.999, noNaN: true }),
  });
  fc.assert(
    fc.property(any, (attempt) => {
      const decision = decideRetry(attempt);
      if ('giveUp' in decision) return decision.giveUp !== '';
      const { waitMs } = decision;
      return (
        attempt.kind === 'retryable' &&
        attempt.attempts < maxAttempts &&
        waitMs < attempt.leftMs &&
        waitMs >= (attempt.retryAfterMs ?? 1)
      );
    }),
  );
});
