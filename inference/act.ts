import { setTimeout as sleep } from 'node:timers/promises';
import type { FailureCause } from '../schemas/call.ts';
import { askedAgain, mostSchemaTries, schemaCheck, type SchemaReading } from './act-schema.ts';
import { BackendError } from './backend.ts';
import type { Backend, ModelDefinition, ModelReply, ModelRequest } from './backend.ts';
import type { AttemptFailure } from './call-breaker.ts';
import { causeOf, decideRetry } from './retry.ts';

/** What a model call came to. Durations are wall time over all attempts, waits included. */
export type Answer =
  | { outcome: 'answered'; reply: ModelReply; attempts: number; durationMs: number }
  | {
      outcome: 'failed';
      /** `permanent`: no try of this model will help; `retryable`: it may later, or another model may now. */
      kind: 'permanent' | 'retryable' | 'cancelled';
      /** What kind of failure the last one was; absent where the call was cancelled. */
      cause?: FailureCause;
      /** What went wrong, why no further try was made, and the mend where one is known; holds no key. */
      message: string;
      attempts: number;
      durationMs: number;
      /** The last HTTP status, if the provider answered at all. */
      status?: number;
      /** The provider's or gateway's own id of the last request, where it told one. */
      requestId?: string;
      /** What replies cost that could not be used. */
      usage?: { inputTokens: number; outputTokens: number };
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
  /** Each attempt that failed, the last one too; not those that were called off. */
  onFailure?: (failure: AttemptFailure) => void;
  /** A random number in [0, 1), drawn once a retry. */
  random?: () => number;
}

type Failed = Extract<Answer, { outcome: 'failed' }>;

/**
 * Asks a model until it answers, within `budgetMs`: at most four times where an attempt fails, and where the reply
 * breaks the request's schema, at most three. What a backend throws comes back as a failure, never as a reply; so does
 * a reply that does not keep its schema.
 */
export async function answer(input: AnswerInput): Promise<Answer> {
  const { backend, definition, signal, onText, onRetry, random = Math.random } = input;
  const startedAt = performance.now();
  const elapsedMs = () => Math.round(performance.now() - startedAt);
  const deadline = new AbortController();
  // A larger number would make the timer fire at once.
  const timer = setTimeout(() => deadline.abort(), Math.min(input.budgetMs, 2 ** 31 - 1));
  const limits = AbortSignal.any([signal, deadline.signal]);
  // The provider's own name of the model, whatever the name was that the caller asked for it by.
  let request: ModelRequest = { ...input.request, model: definition.model };
  const spent = { inputTokens: 0, outputTokens: 0 };
  let attempts = 0;
  let failures = 0;
  let misfits = 0;
  const failed = (kind: Failed['kind'], message: string, more: Partial<Failed> = {}): Failed => ({
    outcome: 'failed',
    kind,
    message,
    attempts,
    durationMs: elapsedMs(),
    ...more,
    ...(spent.inputTokens + spent.outputTokens > 0 ? { usage: { ...spent } } : {}),
  });
  const cancelled = () => failed('cancelled', 'the call was cancelled');

  try {
    let check: (reply: ModelReply) => SchemaReading;
    try {
      check = schemaCheck(input.request);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const message = `the schema "${input.request.schema?.name}" is no JSON Schema: ${why}`;
      return failed('permanent', message, { cause: 'request' });
    }
    for (;;) {
      if (signal.aborted) return cancelled();
      attempts += 1;
      try {
        const reply = await backend.complete(request, { signal: limits, onText });
        const reading = check(reply);
        if ('content' in reading) {
          const usage = {
            ...reply.usage,
            inputTokens: reply.usage.inputTokens + spent.inputTokens,
            outputTokens: reply.usage.outputTokens + spent.outputTokens,
          };
          const whole = { ...reply, content: reading.content, usage };
          return { outcome: 'answered', reply: whole, attempts, durationMs: elapsedMs() };
        }
        spent.inputTokens += reply.usage.inputTokens;
        spent.outputTokens += reply.usage.outputTokens;
        misfits += 1;
        const what = `the reply breaks the schema "${request.schema!.name}": ${reading.problems.join('; ')}`;
        if (misfits >= mostSchemaTries) {
          const message = `${definition.name}: ${what} (${misfits} replies did not keep it)`;
          const { requestId } = reply;
          return failed('permanent', message, { cause: 'schema', ...(requestId ? { requestId } : {}) });
        }
        onRetry?.({ attempts, waitMs: 0, message: what });
        request = askedAgain({ ...input.request, model: definition.model }, reply, reading.problems);
      } catch (error) {
        if (signal.aborted) return cancelled();
        if (!(error instanceof BackendError)) throw error;
        failures += 1;
        const isOutOfTime = deadline.signal.aborted;
        const failure = isOutOfTime ? outOfTime(definition, input.budgetMs) : error;
        const { kind, retryAfterMs, status } = failure;
        const cause = isOutOfTime ? 'timeout' : causeOf(failure);
        input.onFailure?.({ cause, status, retryAfterMs });
        const leftMs = input.budgetMs - elapsedMs();
        const decision = decideRetry({ kind, attempts: failures, retryAfterMs, leftMs, jitter: random() });
        if ('giveUp' in decision) {
          const message = kind === 'permanent' ? failure.message : `${failure.message} (${decision.giveUp})`;
          const { requestId } = error;
          return failed(kind, message, {
            cause,
            ...(status ? { status } : {}),
            ...(requestId ? { requestId } : {}),
          });
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
