import type { FailureCause } from '../schemas/call.ts';
import type { BackendError } from './backend.ts';

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

/**
 * What kind of failure this is, for whoever counts them: `request` and `schema` are the fault of one request, the rest
 * says something of the server, the account or the model.
 */
export function causeOf(error: Pick<BackendError, 'kind' | 'status'>): FailureCause {
  const { kind, status } = error;
  if (status === 429) return 'quota';
  if (status === 401 || status === 402 || status === 403 || status === 404) return 'refused';
  if (status === 408 || status === 504) return 'timeout';
  return kind === 'permanent' ? 'request' : 'server';
}

function seconds(milliseconds: number): string {
  return `${(Math.max(0, milliseconds) / 1000).toFixed(1)} s`;
}
