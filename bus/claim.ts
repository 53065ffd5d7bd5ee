import type { Claim, OpenIntent as DeclaredIntent } from '../schemas/service.ts';

/** An intent as its claim is judged; on whose behalf it was declared is for the caller to compare. */
export type OpenIntent = Omit<DeclaredIntent, 'inputId'>;
export type { Claim };

/** What a probe said of the holder: acting on it now; alive but not acting on it; no such process;
 * no answer in time. */
export type Holder = 'acting' | 'idle' | 'gone' | 'silent';

export type ClaimVerdict =
  /** My own claim: perform the act. */
  | { do: 'act' }
  /** Ask the process in the claim, then decide again with `holder`. */
  | { do: 'probe' }
  /** Append epoch + 1 with my claim, then act; of an opaque intent, append the conclusion `indeterminate`. */
  | { do: 'take over' }
  /** I am fenced: no ack, no nak, no term, no heartbeat. */
  | { do: 'stay silent' }
  /** A spare copy of a message whose owner is at work: relay what is owed, then ack. */
  | { do: 'acknowledge' }
  /** Give the message back to the broker for so long. */
  | { do: 'put back'; delayMs: number };

export interface ClaimFacts {
  /** Now, on the clock that stamped `declaredAtMs`. */
  nowMs: number;
  leaseMs: number;
  /** Absent before the probe. */
  holder?: Holder;
}

/**
 * How soon to look again at an input whose holder has been at work for so long: soon at first, and at least once a
 * lease, as anybody else would. Each look is one more delivery, and an act may take long.
 */
export function lookAgainMs(ageMs: number, leaseMs: number): number {
  return Math.min(leaseMs, Math.max(1_000, ageMs / 2));
}

/**
 * Decides what a delivery does when it meets an intent that its own input opened and nobody has closed.
 * Pure; rules 5 to 8 of the protocol. A 'take over' is only a wish: the compare-and-set on the journal as it
 * was read BEFORE the probe decides who gets it.
 */
export function resolveClaim(intent: OpenIntent, mine: Claim, facts: ClaimFacts): ClaimVerdict {
  const held = intent.claim;
  if (isSameClaim(held, mine)) return { do: 'act' };

  const isSameMessage = held.sequence === mine.sequence;
  // The broker has delivered the message again since, so my lease ended and I was replaced. Any verb of mine
  // would fall on the new holder's delivery: an ack deletes its message, and if it dies nobody comes back.
  if (isSameMessage && mine.deliveries < held.deliveries) return { do: 'stay silent' };

  if (facts.holder === undefined) return { do: 'probe' };
  const ageMs = facts.nowMs - intent.declaredAtMs;
  const isOlderThanLease = ageMs >= facts.leaseMs;
  // A clock that jumped must not park a message for longer than a lease.
  const untilLease: ClaimVerdict = {
    do: 'put back',
    delayMs: Math.min(facts.leaseMs, Math.max(1, facts.leaseMs - ageMs)),
  };

  switch (facts.holder) {
    case 'acting':
      // A spare copy is only in the way. The holder's own message is not: it must outlive the holder, so it
      // is never acked by another, even where a restarted broker counts its delivery as the first again.
      return isSameMessage
        ? { do: 'put back', delayMs: lookAgainMs(ageMs, facts.leaseMs) }
        : { do: 'acknowledge' };
    case 'gone':
      // "Nobody answers to that name" may be a partition. An act that can be repeated or queried may start at
      // once; giving up an opaque one for ever waits until its holder has had a whole lease to commit it.
      return intent.effect !== 'opaque' || isOlderThanLease ? { do: 'take over' } : untilLease;
    case 'idle':
      // The holder lives and dropped the act, so its message comes back soon. That redelivery may go on at
      // once; another copy leaves it a lease first, or the two would race to perform the same act.
      if (isSameMessage && mine.deliveries > held.deliveries && intent.effect !== 'opaque') {
        return { do: 'take over' };
      }
      return isOlderThanLease ? { do: 'take over' } : untilLease;
    case 'silent':
      // Stopped, starved or cut off: only time tells. The age is the intent's own, since a redelivery may be
      // a lease older than an intent that was declared late.
      return isOlderThanLease ? { do: 'take over' } : untilLease;
  }
}

/**
 * Judges a result whose append lost its race, by the intent that is open now (rule 10). 'mine': only something
 * else was written (a late settlement): append the result again. 'superseded': another has taken over, so
 * stay silent. 'closed': the step ended without me: fold again, relay what is owed, ack.
 */
export function fencedBy(
  openNow: OpenIntent | undefined,
  mine: OpenIntent,
): 'mine' | 'superseded' | 'closed' {
  if (openNow === undefined || openNow.key !== mine.key) return 'closed';
  return openNow.epoch === mine.epoch && isSameClaim(openNow.claim, mine.claim) ? 'mine' : 'superseded';
}

/** Whether two claims are of the very same delivery. */
export function isSameClaim(one: Claim, other: Claim): boolean {
  return (
    one.sequence === other.sequence && one.deliveries === other.deliveries && one.process === other.process
  );
}
