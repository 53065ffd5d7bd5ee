import { expect, test } from 'vitest';
import {
  type Claim,
  type ClaimVerdict,
  type Holder,
  type OpenIntent,
  fencedBy,
  lookAgainMs,
  resolveClaim,
} from './claim.ts';

const leaseMs = 6_000;
const declaredAtMs = 1_000_000;
const held: Claim = { sequence: 40, deliveries: 2, process: 'coder-a' };
const intent: OpenIntent = { key: 'answer-7', claim: held, epoch: 1, effect: 'idempotent', declaredAtMs };

const deliveries: Record<string, Claim> = {
  'my own claim': held,
  'a redelivery of that message': { sequence: 40, deliveries: 3, process: 'coder-b' },
  'a redelivery to the very process': { sequence: 40, deliveries: 3, process: 'coder-a' },
  'an earlier delivery of that message': { sequence: 40, deliveries: 1, process: 'coder-b' },
  'a delivery the broker forgot it made': { sequence: 40, deliveries: 2, process: 'coder-b' },
  'another copy of the input': { sequence: 55, deliveries: 1, process: 'coder-b' },
  'another copy, delivered often': { sequence: 55, deliveries: 9, process: 'coder-a' },
};

const act: ClaimVerdict = { do: 'act' };
const probe: ClaimVerdict = { do: 'probe' };
const takeOver: ClaimVerdict = { do: 'take over' };
const staySilent: ClaimVerdict = { do: 'stay silent' };
const acknowledge: ClaimVerdict = { do: 'acknowledge' };
const lookAgain: ClaimVerdict = { do: 'put back', delayMs: 1_000 };
const lookLater: ClaimVerdict = { do: 'put back', delayMs: leaseMs / 2 };
const untilLease: ClaimVerdict = { do: 'put back', delayMs: 4_000 };

// given a delivery, when the holder is said to be ..., then while the intent is 2 s old (repeatable, opaque),
// then once it is 6 s old, the lease (repeatable, opaque)
type Row = [string, Holder | undefined, ClaimVerdict, ClaimVerdict, ClaimVerdict, ClaimVerdict];
const table: Row[] = [
  ['my own claim', undefined, act, act, act, act],
  ['my own claim', 'silent', act, act, act, act],
  ['an earlier delivery of that message', undefined, staySilent, staySilent, staySilent, staySilent],
  ['an earlier delivery of that message', 'gone', staySilent, staySilent, staySilent, staySilent],
  ['a redelivery of that message', undefined, probe, probe, probe, probe],
  ['a redelivery of that message', 'gone', takeOver, untilLease, takeOver, takeOver],
  ['a redelivery of that message', 'idle', takeOver, untilLease, takeOver, takeOver],
  ['a redelivery of that message', 'acting', lookAgain, lookAgain, lookLater, lookLater],
  ['a redelivery of that message', 'silent', untilLease, untilLease, takeOver, takeOver],
  ['a redelivery to the very process', undefined, probe, probe, probe, probe],
  ['a redelivery to the very process', 'acting', lookAgain, lookAgain, lookLater, lookLater],
  ['a delivery the broker forgot it made', undefined, probe, probe, probe, probe],
  ['a delivery the broker forgot it made', 'acting', lookAgain, lookAgain, lookLater, lookLater],
  ['a delivery the broker forgot it made', 'gone', takeOver, untilLease, takeOver, takeOver],
  ['a delivery the broker forgot it made', 'idle', untilLease, untilLease, takeOver, takeOver],
  ['a delivery the broker forgot it made', 'silent', untilLease, untilLease, takeOver, takeOver],
  ['another copy of the input', undefined, probe, probe, probe, probe],
  ['another copy of the input', 'acting', acknowledge, acknowledge, acknowledge, acknowledge],
  ['another copy of the input', 'gone', takeOver, untilLease, takeOver, takeOver],
  ['another copy of the input', 'idle', untilLease, untilLease, takeOver, takeOver],
  ['another copy of the input', 'silent', untilLease, untilLease, takeOver, takeOver],
  ['another copy, delivered often', 'acting', acknowledge, acknowledge, acknowledge, acknowledge],
  ['another copy, delivered often', 'idle', untilLease, untilLease, takeOver, takeOver],
];

test.each(table)('claim: %s, holder %s', (name, holder, young, youngOpaque, old, oldOpaque) => {
  const mine = deliveries[name]!;
  const verdictAt = (nowMs: number, effect: OpenIntent['effect']) =>
    resolveClaim({ ...intent, effect }, mine, { nowMs, leaseMs, holder });
  expect(verdictAt(declaredAtMs + 2_000, 'idempotent')).toEqual(young);
  expect(verdictAt(declaredAtMs + 2_000, 'queryable')).toEqual(young);
  expect(verdictAt(declaredAtMs + 2_000, 'opaque')).toEqual(youngOpaque);
  expect(verdictAt(declaredAtMs + leaseMs, 'idempotent')).toEqual(old);
  expect(verdictAt(declaredAtMs + leaseMs, 'queryable')).toEqual(old);
  expect(verdictAt(declaredAtMs + leaseMs, 'opaque')).toEqual(oldOpaque);
});

test('claim: what a holder has in hand is looked at ever less often, and at least once a lease', () => {
  expect([0, 4_000, 3_600_000, -3_600_000].map((ageMs) => lookAgainMs(ageMs, leaseMs))).toEqual([
    1_000, 2_000, 6_000, 1_000,
  ]);
  expect(lookAgainMs(4_000, 500)).toBe(500);
});

test('claim: a holder whose clock is ahead parks the message for a lease at most', () => {
  const verdict = resolveClaim(intent, deliveries['another copy of the input']!, {
    nowMs: declaredAtMs - 3_600_000,
    leaseMs,
    holder: 'silent',
  });
  expect(verdict).toEqual({ do: 'put back', delayMs: leaseMs });
});

test('claim: a message put back until the lease comes back in time to take over', () => {
  const mine = deliveries['a redelivery of that message']!;
  let nowMs = declaredAtMs + 10;
  const first = resolveClaim(intent, mine, { nowMs, leaseMs, holder: 'silent' });
  if (first.do !== 'put back') throw new Error(`expected 'put back', got '${first.do}'`);
  nowMs += first.delayMs;
  expect(resolveClaim(intent, mine, { nowMs, leaseMs, holder: 'silent' })).toEqual(takeOver);
});

test.each<[string, OpenIntent | undefined, ReturnType<typeof fencedBy>]>([
  ['the intent is still open as it was', { ...intent }, 'mine'],
  ['nothing is open any more', undefined, 'closed'],
  ['another input has opened the next intent', { ...intent, key: 'answer-8' }, 'closed'],
  ['another has taken over', { ...intent, epoch: 2, claim: { ...held, deliveries: 3 } }, 'superseded'],
  [
    'the same epoch is held by another delivery',
    { ...intent, claim: { ...held, sequence: 55 } },
    'superseded',
  ],
  ['the same process has taken over from itself', { ...intent, epoch: 2 }, 'superseded'],
])('claim: a result that lost a race, when %s', (_, openNow, expected) => {
  expect(fencedBy(openNow, intent)).toBe(expected);
});
