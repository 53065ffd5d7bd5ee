import { censorText } from '../../schemas/secrets.ts';
import { BackendError } from '../backend.ts';
import type { Connection } from './bedrock-connection.ts';
import { isRedirect, nothingAnswersBy, redirected } from './provider-failure.ts';
import { readRetryAfter } from './retry-after.ts';

/** What a failure is told with. */
export interface FailureContext extends Omit<Connection, 'client'> {
  model: string;
}

/** What the AWS client throws, the parts that are looked at. */
interface Thrown {
  name: string;
  message: string;
  $metadata?: { httpStatusCode?: number; requestId?: string };
  $response?: { statusCode?: number; headers?: Record<string, string> };
}

const refusedCredentials =
  /^(UnrecognizedClient|InvalidSignature|SignatureDoesNotMatch|InvalidClientTokenId|InvalidToken|MissingAuthenticationToken|IncompleteSignature|ExpiredToken|NotAuthorized)(Exception)?$/;
const clockIsWrong = /^(RequestTimeTooSkewed|RequestExpired|RequestInTheFuture)/;
const retryable =
  /^(Throttling|TooManyRequests|ModelNotReady|ServiceUnavailable|InternalServer|InternalFailure|ModelTimeout|ModelError|ModelStreamError|RequestTimeout)/;
const overflow =
  /input is too long|too many input tokens|prompt is too long|context (length|size|window)|maximum context|expected maxLength|input tokens? .*exceed/i;
const unknownModelWords =
  /model identifier is invalid|could not resolve the foundation model|model .*(not found|does not exist)|on-demand throughput|end of (its|the) life|inference profile/i;
const noTools =
  /(does ?n.t|does not) support (tool|function)|tool use in streaming|tool(use|config|s)? (is|are) not supported/i;

/** What the AWS client threw, as a BackendError: by the service's own name for it, else by HTTP status. */
export function toBackendError(error: unknown, context: FailureContext): BackendError {
  if (error instanceof BackendError) return error;
  const thrown = (error instanceof Error ? error : new Error(String(error))) as Thrown & Error;
  const status = statusOf(thrown);
  const requestId = requestIdOf(thrown);
  const sent = thrown.$metadata?.httpStatusCode ?? thrown.$response?.statusCode;
  if (isRedirect(sent))
    return redirected(sent, thrown.$response?.headers?.['location'], context.address, { requestId });
  if (status === undefined && thrown.$metadata?.requestId === undefined && isOfConnection(thrown))
    return noAnswer(thrown, context);
  const words = excerptOf(thrown.message, context);
  const more = { status, requestId, cause: new Error(words) };
  if (clockIsWrong.test(thrown.name) || /^signature (expired|not yet current)/i.test(thrown.message))
    return new BackendError(
      'retryable',
      `${context.address} says that this machine's clock is wrong: ${words}`,
      {
        ...more,
        mend: 'set the clock',
      },
    );
  if (refusedCredentials.test(thrown.name) || status === 401) return refused(thrown, words, context, more);
  if (status === 403 || thrown.name.startsWith('AccessDenied')) return forbidden(words, context, more);
  if (overflow.test(thrown.message) && (status ?? 400) < 500 && !retryable.test(thrown.name))
    return new BackendError(
      'permanent',
      `the request is larger than the context of ${context.model}: ${words}`,
      { ...more, mend: "set the model's contextTokens to what it really has" },
    );
  if (retryable.test(thrown.name) || isRetryableStatus(status)) {
    const retryAfterMs = readRetryAfter(headersOf(thrown), Date.now());
    const answered = status === undefined ? 'broke off its reply' : `answered ${status}`;
    return new BackendError('retryable', `${context.address} ${answered} (${thrown.name}): ${words}`, {
      ...more,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
  if (status === 404 || unknownModelWords.test(thrown.message)) return unknownModel(words, context, more);
  if (noTools.test(thrown.message))
    return new BackendError('permanent', `${context.model} cannot call tools: ${words}`, {
      ...more,
      mend: 'choose a model that can, also while it streams its reply',
    });
  if (status === undefined && !thrown.name.startsWith('Validation'))
    return new BackendError('retryable', `the reply of ${context.address} broke off: ${words}`, more);
  return new BackendError(
    'permanent',
    `${context.address} refused the request (${status ?? thrown.name}): ${words}`,
    more,
  );
}

type More = { status: number | undefined; requestId: string | undefined; cause: Error };

function refused(thrown: Thrown, words: string, context: FailureContext, more: More): BackendError {
  const isOver = /expired/i.test(`${thrown.name} ${thrown.message}`);
  const mend = isOver
    ? 'they are temporary and have expired: renew them (aws sso login, for a profile with a login) and start the mesh again where they are in its environment'
    : `check ${context.variables}, and that they are meant for the region ${context.region}`;
  return new BackendError(
    'permanent',
    `${context.address} refused ${context.credentials} (${more.status ?? thrown.name}): ${words}`,
    { ...more, mend },
  );
}

function forbidden(words: string, context: FailureContext, more: More): BackendError {
  return new BackendError(
    'permanent',
    `${context.credentials} may not use ${context.model} in ${context.region} (${more.status ?? 403}): ${words}`,
    {
      ...more,
      mend: `allow them bedrock:InvokeModelWithResponseStream on this model, and see in the console of Bedrock that the account has access to it; or choose others with ${context.variables}`,
    },
  );
}

function unknownModel(words: string, context: FailureContext, more: More): BackendError {
  const { address, model, region } = context;
  return new BackendError('permanent', `${address} does not serve the model ${model}: ${words}`, {
    ...more,
    mend: `see what there is: aws bedrock list-foundation-models --region ${region} --by-output-modality TEXT --query 'modelSummaries[].modelId'; many models are asked by the id of an inference profile: aws bedrock list-inference-profiles --region ${region} --query 'inferenceProfileSummaries[].inferenceProfileId'`,
  });
}

function noAnswer(error: Error, context: FailureContext): BackendError {
  const reason = rootReason(error);
  const words = excerptOf(reason, context);
  if (/CERT|SSL|TLS|SELF_SIGNED/.test(reason)) {
    return new BackendError('permanent', `the certificate of ${context.address} is not trusted (${words})`, {
      mend: 'name its authority in NODE_EXTRA_CA_CERTS',
    });
  }
  const mend = /ENOTFOUND|EAI_AGAIN/.test(reason)
    ? `check the network, and that ${context.region} is a region with Bedrock`
    : 'check the network, and the url of the model if it names one';
  return nothingAnswersBy(context.address, words, mend);
}

/** Failures of the network bear a code of the system; a reply that could not be read does not. */
function isOfConnection(error: Error): boolean {
  return (
    /^(E[A-Z]+|ERR_(TLS|SSL)\w*|\w*CERT\w*)$/.test(rootReason(error)) && !/ECONNRESET/.test(rootReason(error))
  );
}

/** The innermost reason: a code such as ECONNREFUSED where there is one, and one of them where several ways were tried. */
function rootReason(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code;
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error.cause;
  return inner instanceof Error ? rootReason(inner) : error.message;
}

/** A failure inside a stream comes under the status of the stream, which had begun well. */
function statusOf(thrown: Thrown): number | undefined {
  const status = thrown.$metadata?.httpStatusCode ?? thrown.$response?.statusCode;
  return status !== undefined && status >= 400 ? status : undefined;
}

function requestIdOf(thrown: Thrown): string | undefined {
  const headers = thrown.$response?.headers;
  return thrown.$metadata?.requestId ?? headers?.['x-amzn-requestid'] ?? undefined;
}

function headersOf(thrown: Thrown): Headers | undefined {
  return thrown.$response?.headers && new Headers(thrown.$response.headers);
}

function isRetryableStatus(status: number | undefined): boolean {
  return status !== undefined && ([408, 409, 424, 425, 429].includes(status) || status >= 500);
}

/** AWS repeats much of a request in some refusals: the whole canonical request, session token included. */
function excerptOf(message: string, context: Pick<FailureContext, 'secrets'>): string {
  let text = message;
  for (const secret of context.secrets) {
    text = text.replaceAll(secret, '[key]').replaceAll(encodeURIComponent(secret), '[key]');
  }
  text = censorText(text).replace(/\s+/g, ' ').trim();
  return text.length > 300 ? `${text.slice(0, 300)}... [cut]` : text || 'no reason was given';
}
