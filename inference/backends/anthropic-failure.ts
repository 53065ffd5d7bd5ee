import { APIError } from '@anthropic-ai/sdk';
import { BackendError } from '../backend.ts';
import { isObject, parseObject } from '../tool-arguments.ts';
import { brokeOff, excerpt, isRedirect, nothingAnswers, redirected, refusedKey } from './provider-failure.ts';
import type { Provider } from './provider-failure.ts';
import { readRetryAfter } from './retry-after.ts';

/** An error as the API tells it, before a reply or in the middle of one. */
interface Told {
  status: number;
  /** The API's own words. */
  words: string;
  retryAfterMs: number | undefined;
  requestId: string | undefined;
}

/** An `error` event within a stream. */
export class StreamError extends Error {
  readonly body: unknown;
  constructor(data: string) {
    super(data);
    this.body = parseObject(data) ?? data;
  }
}

/** The status that each type of error has; within a stream there is only the type. */
const statuses: Record<string, number> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  timeout_error: 504,
  overloaded_error: 529,
};

const overflow =
  /prompt is too long|exceeds? (the )?(model's )?context|context (window|limit|length)|too many tokens/i;
const noCredit = /credit balance|reached your specified .*usage limit|billing/i;

/**
 * What the official client or the stream threw, as a BackendError with the id of its request. (A 404 is told apart by
 * the backend, which can ask for the models.)
 */
export function toBackendError(
  error: unknown,
  provider: Provider,
  requestId: string | undefined,
): BackendError {
  if (error instanceof BackendError) return withRequestId(error, requestId);
  if (error instanceof StreamError) {
    const { type, words } = wordsOf(error.body, error.message);
    const status = statuses[type ?? ''] ?? 500;
    return explain({ status, words, retryAfterMs: undefined, requestId }, provider, true);
  }
  if (!(error instanceof APIError)) return brokeOff(error, provider, { requestId });
  if (error.status === undefined)
    return nothingAnswers(
      error,
      provider.address,
      "mend the model's url, or see whether this machine has a network",
    );
  if (isRedirect(error.status))
    return redirected(error.status, error.headers?.get('location'), provider.address, { requestId });
  return explain(
    {
      status: error.status,
      words: wordsOf(error.error, error.message).words,
      retryAfterMs: readRetryAfter(error.headers, Date.now()),
      requestId: error.requestID ?? requestId,
    },
    provider,
    false,
  );
}

function explain(told: Told, provider: Provider, isInStream: boolean): BackendError {
  const { status, words, requestId, retryAfterMs } = told;
  const { address, model } = provider;
  const said = excerpt(words, provider) + (requestId === undefined ? '' : ` (request ${requestId})`);
  // Within a stream the status is none that was sent.
  const more = { requestId, ...(!isInStream && { status }) };
  const permanent = (problem: string, mend?: string) =>
    new BackendError('permanent', problem, { ...more, ...(mend !== undefined && { mend }) });
  if (status === 401 || status === 403) return refusedKey(status, words, provider, { requestId });
  if (status === 413)
    return permanent(
      `the request has more bytes than ${address} takes: ${said}`,
      'send less, such as smaller files',
    );
  if (status < 500 && overflow.test(words))
    return permanent(
      `the request is larger than the context of ${model}: ${said}`,
      "set the model's contextTokens to what the model really has",
    );
  if (status === 402 || (status === 400 && noCredit.test(words)))
    return permanent(
      `the account behind ${address} has no quota left: ${said}`,
      'add credit or raise the limit at the provider, or name another model as a fallback',
    );
  if (status === 408 || status === 409 || status === 425 || status === 429 || status >= 500) {
    const problem = isInStream
      ? `${address} broke off its reply: ${said}`
      : `${address} ${status === 529 ? 'is overloaded (529)' : `answered ${status}`}: ${said}`;
    return new BackendError('retryable', problem, { ...more, retryAfterMs });
  }
  return permanent(`${address} refused the request (${status}): ${said}`);
}

/** `{"type": "error", "error": {"type": ..., "message": ...}}`; a server in between has words of its own. */
export function wordsOf(body: unknown, otherwise: string): { type?: string; words: string } {
  const error = isObject(body) && isObject(body['error']) ? body['error'] : {};
  const { type, message } = error;
  return {
    ...(typeof type === 'string' && { type }),
    words: typeof message === 'string' ? message : otherwise,
  };
}

/** The same error with the id of its request. */
function withRequestId(error: BackendError, requestId: string | undefined): BackendError {
  if (requestId === undefined || error.requestId !== undefined) return error;
  const { kind, problem, mend, retryAfterMs, status, cause } = error;
  const more = { ...(mend !== undefined && { mend }), retryAfterMs, status, cause, requestId };
  return new BackendError(kind, problem, more);
}
