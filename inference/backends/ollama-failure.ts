import { isLoopback } from '../../schemas/model-backends.ts';
import { BackendError } from '../backend.ts';
import { parseObject } from '../tool-arguments.ts';
import { tooLarge } from './ollama-context.ts';
import { excerpt, isRedirect, nothingAnswers, redirected, refusedKey } from './provider-failure.ts';
import type { Provider } from './provider-failure.ts';
import { readRetryAfter } from './retry-after.ts';

const overflow =
  /(exceed|longer than|larger than|too long|too large).*context|context (length|size|window).*exceed|prompt is too long/i;
const outOfMemory =
  /requires more system memory|out of memory|insufficient memory|unable to allocate|cudaMalloc/i;

/** What Ollama answered in place of a reply, by its status and its words. (A 404 is told apart by the backend.) */
export function refusal(status: number, body: string, headers: Headers, provider: Provider): BackendError {
  if (isRedirect(status)) return redirected(status, headers.get('location'), provider.address);
  const words = wordsOf(body);
  const said = excerpt(words, provider);
  const requestId = headers.get('x-request-id') ?? undefined;
  const more = { status, requestId };
  if (status === 401 && parseObject(body)?.['signin_url'] !== undefined)
    return new BackendError(
      'permanent',
      `${provider.model} runs at ollama.com, and this Ollama is not signed in`,
      {
        ...more,
        mend: 'sign in with `ollama signin`',
      },
    );
  if (status === 401 || status === 403) return refusedKey(status, words, provider, more);
  const known = knownTrouble(words, said, provider, more);
  if (known) return known;
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    return new BackendError('retryable', `${provider.address} answered ${status}: ${said}`, {
      ...more,
      retryAfterMs: readRetryAfter(headers, Date.now()),
      ...(/timed out waiting for/i.test(words) && {
        mend: 'start Ollama with a larger OLLAMA_LOAD_TIMEOUT, such as 20m',
      }),
    });
  return new BackendError('permanent', `${provider.address} refused the request (${status}): ${said}`, more);
}

/** What Ollama says once its reply has begun; there is no status any more. */
export function streamFailure(
  words: string,
  provider: Provider,
  requestId: string | undefined,
): BackendError {
  const said = excerpt(words, provider);
  return (
    knownTrouble(words, said, provider, { requestId }) ??
    new BackendError('retryable', `${provider.address} broke off its reply: ${said}`, { requestId })
  );
}

function knownTrouble(
  words: string,
  said: string,
  { model }: Provider,
  more: { status?: number; requestId?: string | undefined },
): BackendError | undefined {
  if (overflow.test(words)) return tooLarge(model, said, more);
  if (outOfMemory.test(words))
    return new BackendError('permanent', `there is too little memory for ${model}: ${said}`, {
      ...more,
      mend: 'give it a smaller contextTokens (with --model: OLLAMA_CONTEXT_LENGTH), choose a smaller model, or free memory (`ollama ps` shows what is loaded)',
    });
  if (/does not support tools/i.test(words))
    return new BackendError('permanent', `${model} cannot call tools: ${said}`, {
      ...more,
      mend: 'choose a model that can; `ollama show NAME` lists capabilities',
    });
  return undefined;
}

/** Nobody answered. */
export function noServer(error: unknown, { address }: Provider): BackendError {
  const start = isLoopback(address)
    ? "start it with `ollama serve`, or mend the model's url or OLLAMA_HOST"
    : "start it on that host with `OLLAMA_HOST=0.0.0.0 ollama serve`, or mend the model's url or OLLAMA_HOST";
  return nothingAnswers(error, address, start);
}

/** The words of an error: Ollama's are `{"error": "..."}`; a server in between has its own. */
export function wordsOf(body: string): string {
  const error = parseObject(body)?.['error'];
  if (typeof error === 'string') return error;
  return error === undefined ? body : JSON.stringify(error);
}
