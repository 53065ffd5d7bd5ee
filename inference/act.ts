import { setTimeout as sleep } from 'node:timers/promises';
import { BackendError } from './backend.ts';
import type { Backend, ModelDefinition, ModelReply, ModelRequest } from './backend.ts';
import { decideRetry } from './retry.ts';

/** What a model call came to. Durations are wall time over all attempts, waits included. */
export type Answer =
  | { outcome: 'answered'; reply: ModelReply; attempts: number; durationMs: number }
  | {
      outcome: 'failed';
      /** `permanent`: no try of this model will help; `retryable`: it may later, or another model may now. */
      kind: 'permanent' | 'retryable' | 'cancelled';
      /** What went wrong, why no further try was made, and the mend where one is known; holds no key. */
      message: string;
      attempts: number;
      durationMs: number;
      /** The last HTTP status, if the provider answered at all. */
      status?: number;
    };

export interface AnswerInput {
  definition: ModelDefinition;
  backend: Backend;
  request: ModelRequest;
  /** Time for all attempts together. */
  budgetMs: number;
  signal: AbortSignal;
  /** Text as it comes. After a failed attempt the text begins anew: `onRetry` tells so. */
  onText: (text: string) => void;
  onRetry?: (retry: { attempts: number; waitMs: number; message: string }) => void;
  /** A random number in [0, 1), drawn once a retry. */
  random?: () => number;
}

/** Asks a model until it answers, at most four times and within `budgetMs`. What a backend throws comes back as a failure. */
export async function answer(input: AnswerInput): Promise<Answer> {
  const { backend, definition, signal, onText, onRetry, random = Math.random } = input;
  const startedAt = performance.now();
  const elapsedMs = () => Math.round(performance.now() - startedAt);
  const deadline = new AbortController();
  // A larger number would make the timer fire at once.
  const timer = setTimeout(() => deadline.abort(), Math.min(input.budgetMs, 2 ** 31 - 1));
  const limits = AbortSignal.any([signal, deadline.signal]);
  // The provider's own name of the model, whatever the name was that the caller asked for it by.
  const request = { ...input.request, model: definition.model };
  const cancelled = (attempts: number): Answer => {
    return {
      outcome: 'failed',
      kind: 'cancelled',
      message: 'the call was cancelled',
      attempts,
      durationMs: elapsedMs(),
    };
  };
  try {
    for (let attempts = 1; ; attempts++) {
      if (signal.aborted) return cancelled(attempts - 1);
      try {
        const reply = await backend.complete(request, { signal: limits, onText });
        return { outcome: 'answered', reply, attempts, durationMs: elapsedMs() };
      } catch (error) {
        if (signal.aborted) return cancelled(attempts);
        if (!(error instanceof BackendError)) throw error;
        const failure = deadline.signal.aborted ? outOfTime(definition, input.budgetMs) : error;
        const { kind, retryAfterMs, status } = failure;
        const leftMs = input.budgetMs - elapsedMs();
        const decision = decideRetry({ kind, attempts, retryAfterMs, leftMs, jitter: random() });
        if ('giveUp' in decision) {
          const message = kind === 'permanent' ? failure.message : `${failure.message} (${decision.giveUp})`;
          return {
            outcome: 'failed',
            kind,
            message,
            attempts,
            durationMs: elapsedMs(),
            ...(status && { status }),
          };
        }
        onRetry?.({ attempts, waitMs: decision.waitMs, message: failure.message });
        await sleep(decision.waitMs, undefined, { signal }).catch(() => undefined);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

function outOfTime(definition: ModelDefinition, budgetMs: number): BackendError {
  return new BackendError(
    'retryable',
    `${definition.name} gave no whole answer within the ${budgetMs} ms the call has`,
  );
}
