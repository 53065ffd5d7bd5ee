/** What is known when a call has failed and it is to be decided whether, and when, to ask again. */
export interface FailedAttempt {
  kind: 'permanent' | 'retryable';
  /** How many attempts have been made, this one included. */
  attempts: number;
  /** What the provider asked for, if it did. */
  retryAfterMs: number | undefined;
  /** Time left until the call's deadline. */
  leftMs: number;
  /** A random number in [0, 1): spreads the calls that failed together. */
  jitter: number;
}

export type RetryDecision = { waitMs: number } | { giveUp: string };

export const maxAttempts = 4;
const firstWaitMs = 500;
const longestWaitMs = 15_000;

/**
 * Ask again, and after how long? The wait doubles with each attempt, half of it random; a provider that
 * names a time gets at least that. There is no point in waiting past the deadline: then it gives up at once,
 * so that a fallback has the time that is left.
 */
export function decideRetry(failed: FailedAttempt): RetryDecision {
  if (failed.kind === 'permanent') return { giveUp: 'another try would not help' };
  if (failed.attempts >= maxAttempts) return { giveUp: `${failed.attempts} attempts failed` };
  const backoffMs = Math.min(longestWaitMs, firstWaitMs * 2 ** (failed.attempts - 1));
  const spreadMs = Math.round(backoffMs * (0.5 + failed.jitter / 2));
  // All the callers of a provider that is out of breath get the same Retry-After: spread them behind it.
  const waitMs =
    failed.retryAfterMs === undefined
      ? spreadMs
      : failed.retryAfterMs + Math.round(firstWaitMs * failed.jitter);
  if (waitMs < failed.leftMs) return { waitMs };
  return {
    giveUp: `the next try would be due in ${seconds(waitMs)}, but only ${seconds(failed.leftMs)} are left`,
  };
}

function seconds(milliseconds: number): string {
  return `${(Math.max(0, milliseconds) / 1000).toFixed(1)} s`;
}
