import { APIError } from 'openai';
import { BackendError } from '../backend.ts';
import { waitAfterLimit } from './openai-rate-limit.ts';
import { brokeOff, excerpt, isRedirect, nothingAnswers, redirected, refusedKey } from './provider-failure.ts';
import type { Provider } from './provider-failure.ts';

/** Where a model is asked, and what is known of the request that failed. */
export interface FailureContext extends Provider {
  /** The server's id of the request, once its answer has begun. */
  requestId?: string | undefined;
}

/** A gateway's own id of a request goes before that of whoever stands behind it. */
export function requestIdOf(headers: Headers | undefined): string | undefined {
  return headers?.get('x-litellm-call-id') ?? headers?.get('x-request-id') ?? undefined;
}

const contextOverflow =
  /context_length_exceeded|exceed_context_size|context (length|size|window)|maximum context|prompt is too long/i;

/** Once a large model is loaded from disk it will answer; llama-server says so until then. */
const loadingRetryMs = 5_000;
const isLoading = (error: APIError) => error.status === 503 && /^(503 )?loading model$/i.test(error.message);
/** What vLLM and llama-server answer where they were started without what tools need. */
const lacksToolOption = /--enable-auto-tool-choice|--tool-call-parser|requires --jinja/;

const start = "start the model server there, or mend the model's url";
const noQuota = /insufficient_quota|exceeded your current quota|billing_hard_limit/i;

/**
 * What the official client threw, as a BackendError with the id of its request: by HTTP status, by the error object
 * inside a stream, or by the reason why no answer came at all. (A 404 is told apart by the backend, which can ask for
 * the models.)
 */
export function toBackendError(error: unknown, context: FailureContext): BackendError {
  const told = error instanceof BackendError ? error : explain(error, context);
  const own = error instanceof APIError ? requestIdOf(error.headers) : undefined;
  return withRequestId(told, own ?? context.requestId);
}

/** The same error with the id of its request. */
export function withRequestId(error: BackendError, requestId: string | undefined): BackendError {
  if (requestId === undefined || error.requestId !== undefined) return error;
  const { kind, problem, mend, retryAfterMs, status, cause } = error;
  const more = { ...(mend !== undefined && { mend }), retryAfterMs, status, cause, requestId };
  return new BackendError(kind, problem, more);
}

function explain(error: unknown, context: FailureContext): BackendError {
  if (!(error instanceof APIError)) return brokeOff(error, context);
  const status = error.status ?? statusInStream(error);
  if (status === undefined)
    return error.error === undefined
      ? nothingAnswers(error, context.address, start)
      : inStream(error, context);
  if (isRedirect(status)) return redirected(status, error.headers?.get('location'), context.address);
  const excerpt = excerptOf(error, context);
  const more = { status, cause: censoredCause(error, context) };
  if (status === 401 || status === 403) return keyProblem(status, error, context);
  if (isOverflow(error) && status < 500) return tooLarge(excerpt, context, more);
  if (status === 429 && noQuota.test(wordsOf(error))) return emptyAccount(excerpt, context, more);
  if (lacksToolOption.test(error.message))
    return new BackendError('permanent', `${context.model} cannot call tools: ${excerpt}`, {
      ...more,
      mend: 'start its server with the options that it names, or choose another model',
    });
  if (isLoading(error))
    return new BackendError('retryable', `${context.address} is still loading its model (${status})`, {
      ...more,
      retryAfterMs: loadingRetryMs,
      mend: 'wait until its log says that it listens',
    });
  if (status === 408 || status === 409 || status === 425 || status === 429 || status >= 500) {
    const retryAfterMs = waitAfterLimit(error.headers, Date.now());
    return new BackendError('retryable', `${context.address} answered ${status}: ${excerpt}`, {
      ...more,
      retryAfterMs,
    });
  }
  if (/does not support tools|tool.*not supported/i.test(error.message)) {
    return new BackendError('permanent', `${context.model} cannot call tools: ${excerpt}`, {
      ...more,
      mend: 'choose a model that can',
    });
  }
  return new BackendError(
    'permanent',
    `${context.address} refused the request (${status}): ${excerpt}`,
    more,
  );
}

const wordsOf = (error: APIError) => `${error.code} ${error.type} ${error.message}`;
export const isOverflow = (error: APIError) => contextOverflow.test(wordsOf(error));

type More = { status?: number; cause?: Error };

function tooLarge(excerpt: string, context: FailureContext, more: More): BackendError {
  const problem = `the request is larger than the context of ${context.model}: ${excerpt}`;
  const mend = "set the model's contextTokens to what the server really gives it";
  return new BackendError('permanent', problem, { ...more, mend });
}

function emptyAccount(excerpt: string, context: FailureContext, more: More): BackendError {
  const problem = `the account behind ${context.address} has no quota left: ${excerpt}`;
  const mend = 'add credit or raise the limit at the provider, or name another model as a fallback';
  return new BackendError('permanent', problem, { ...more, mend });
}

function keyProblem(status: number, error: APIError, context: FailureContext): BackendError {
  const told = refusedKey(status, excerptOf(error, context), context);
  if (context.apiKeyVariable !== undefined) return told;
  const mend = `${told.mend} (with --model URL: SWITCHYARD_MODEL_KEY)`;
  return new BackendError('permanent', told.problem, { status, mend });
}

/** What the responses API names as the code of a response that failed, where no other try can help. */
const permanentCodes =
  /^(invalid_|unsupported_|image_|empty_image|failed_to_download|data_residency|misalignment|\w+_policy)/;

function inStream(error: APIError, context: FailureContext): BackendError {
  const excerpt = excerptOf(error, context);
  if (isOverflow(error)) return tooLarge(excerpt, context, {});
  if (noQuota.test(wordsOf(error))) return emptyAccount(excerpt, context, {});
  if (permanentCodes.test(`${error.code}`))
    return new BackendError('permanent', `${context.address} refused the request: ${excerpt}`);
  return new BackendError('retryable', `${context.address} broke off its reply: ${excerpt}`);
}

/** Servers that notice a fault once they stream put the status into the error object as its code. */
function statusInStream(error: APIError): number | undefined {
  const code = Number(error.code);
  return code >= 400 && code < 600 ? code : undefined;
}

/** The server's own words on one line, without the key and openly cut, with the id that it gave the request. */
export function excerptOf(error: APIError, context: FailureContext): string {
  const requestId = requestIdOf(error.headers) ?? context.requestId;
  return excerpt(error.message, context) + (requestId === undefined ? '' : ` (request ${requestId})`);
}

/** The client's own error carries headers and bodies; only its censored words may travel on. */
function censoredCause({ message }: APIError, { key }: FailureContext): Error {
  return new Error(key ? message.replaceAll(key, '[key]') : message);
}
