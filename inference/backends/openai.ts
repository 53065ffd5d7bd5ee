import OpenAI, { APIError } from 'openai';
import { BackendError } from '../backend.ts';
import type { Backend, ModelDefinition, ModelReply, ModelRequest } from '../backend.ts';
import { capabilitiesOf } from '../capabilities.ts';
import { toBackendError } from './openai-failure.ts';
import type { FailureContext } from './openai-failure.ts';
import { isListed, listModels, unknownModel } from './openai-models.ts';
import { refusedParameter, toParams } from './openai-request.ts';
import type { RefusedParameter } from './openai-request.ts';
import { emptyDraft, finishReply, takeChunk } from './openai-stream.ts';
import { limitTime } from './time-limit.ts';
import type { TimeLimit } from './time-limit.ts';

/**
 * Ollama gathers a whole tool call before it sends it, so a silence in the middle of a reply may be long on
 * a slow machine and still be work.
 */
const defaultIdleTimeoutMs = 120_000;
const checkTimeoutMs = 10_000;

/**
 * Any server that speaks the OpenAI chat-completions API: OpenAI, LiteLLM, vLLM, llama-server, Ollama's /v1.
 * `definition.url` is the API's root (`http://127.0.0.1:11434/v1`). Throws a permanent BackendError where the
 * URL or the key's variable is missing.
 */
export function openai(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
  options: { idleTimeoutMs?: number } = {},
): Backend {
  const context = contextOf(definition, environment);
  const client = clientOf(context);
  const idleMs = options.idleTimeoutMs ?? defaultIdleTimeoutMs;
  const refused = new Set<RefusedParameter>();
  // OpenAI's newer models refuse the old name of this parameter; the other servers may not know the new one.
  if (new URL(context.address).hostname === 'api.openai.com') refused.add('max_tokens');

  async function converse(
    request: ModelRequest,
    limit: TimeLimit,
    onText: (text: string) => void,
  ): Promise<ModelReply> {
    const { data: stream, response } = await open(client, request, refused, limit.signal);
    refuseOtherThanStream(response, context);
    const draft = emptyDraft();
    for await (const chunk of stream) {
      limit.alive();
      const text = takeChunk(draft, chunk);
      if (text !== '') onText(text);
    }
    // A stream that was aborted ends as if it were whole; it counts as whole only if its finish had come.
    return finishReply(draft, request, requestIdOf(response));
  }

  return {
    capabilities: capabilitiesOf(definition),

    async complete(request, { signal, onText }) {
      const limit = limitTime(signal, { totalMs: definition.timeoutMs, idleMs });
      try {
        return await converse(request, limit, onText);
      } catch (error) {
        const ended = endedBy(limit, definition, idleMs, context);
        if (ended) throw ended;
        if (isNotFound(error)) throw await explainNotFound(client, request.model, limit.signal, context);
        throw toBackendError(error, context);
      } finally {
        limit.release();
      }
    },

    async check(model, signal) {
      const totalMs = Math.min(definition.timeoutMs, checkTimeoutMs);
      const limit = limitTime(signal, { totalMs, idleMs: totalMs });
      try {
        const listed = await listModels(client, limit.signal);
        // A server without a list is there; whether it has the model only a prompt can tell.
        if (listed && !isListed(model, listed)) throw unknownModel(context.address, model, listed);
      } catch (error) {
        throw (
          endedBy(limit, { ...definition, timeoutMs: totalMs }, totalMs, context) ??
          toBackendError(error, context)
        );
      } finally {
        limit.release();
      }
    },
  };
}

/** Opens the stream. A parameter that the server refuses is left out from then on, which costs no tokens. */
async function open(
  client: OpenAI,
  request: ModelRequest,
  refused: Set<RefusedParameter>,
  signal: AbortSignal,
) {
  for (;;) {
    const params = toParams(request, refused);
    try {
      return await client.chat.completions.create(params, { signal }).withResponse();
    } catch (error) {
      const parameter = error instanceof APIError ? refusedParameter(error, params) : undefined;
      if (parameter === undefined) throw error;
      refused.add(parameter);
    }
  }
}

function contextOf(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
): FailureContext {
  const { name, model, url, apiKeyVariable } = definition;
  if (url === undefined || !URL.canParse(url)) {
    throw new BackendError('permanent', `model ${name} has ${url ? `no valid url: ${url}` : 'no url'}`, {
      mend: "give the root of the server's API, such as http://127.0.0.1:11434/v1",
    });
  }
  const key = apiKeyVariable === undefined ? undefined : environment[apiKeyVariable]?.trim();
  if (apiKeyVariable !== undefined && !key) {
    throw new BackendError(
      'permanent',
      `model ${name} needs a key, but the variable ${apiKeyVariable} is not set`,
      {
        mend: `put the key into the environment variable ${apiKeyVariable} where the mesh is started, and start it again`,
      },
    );
  }
  return { address: url.replace(/\/+$/, ''), model, apiKeyVariable, key };
}

function clientOf(context: FailureContext): OpenAI {
  return new OpenAI({
    baseURL: context.address,
    // The client insists on a key, and would take one out of the environment; see plainHeaders for the real one.
    apiKey: 'none',
    maxRetries: 0,
    // The time limit of each call is the only clock, so that a timeout is told as one.
    timeout: 2 ** 31 - 1,
    logLevel: 'off',
    fetch: (input, init) => fetch(input, { ...init, headers: plainHeaders(init?.headers, context.key) }),
  });
}

/** Only what the call needs leaves the process: no headers out of OPENAI_CUSTOM_HEADERS, no facts of the machine. */
function plainHeaders(given: ConstructorParameters<typeof Headers>[0], key: string | undefined): Headers {
  const all = new Headers(given);
  const headers = new Headers({ 'user-agent': 'switchyard' });
  for (const name of ['accept', 'content-type']) {
    const value = all.get(name);
    if (value !== null) headers.set(name, value);
  }
  if (key !== undefined) headers.set('authorization', `Bearer ${key}`);
  return headers;
}

function refuseOtherThanStream(response: Response, context: FailureContext): void {
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('text/html')) {
    throw new BackendError('permanent', `${context.address} answered with a web page`, {
      mend: "check that the model's url is the API's root, mostly one that ends in /v1",
    });
  }
  if (type.includes('application/json')) {
    throw new BackendError(
      'retryable',
      `${context.address} answered in one piece, not with the stream it was asked for`,
    );
  }
}

function requestIdOf(response: Response): string | undefined {
  return response.headers.get('x-litellm-call-id') ?? response.headers.get('x-request-id') ?? undefined;
}

function endedBy(
  limit: TimeLimit,
  definition: ModelDefinition,
  idleMs: number,
  context: FailureContext,
): BackendError | undefined {
  switch (limit.ended()) {
    case undefined:
      return undefined;
    case 'cancelled':
      return new BackendError('permanent', 'the call was cancelled');
    case 'timeout':
      return new BackendError(
        'retryable',
        `${context.address} did not finish within ${definition.timeoutMs} ms`,
        {
          mend: 'a slow model may need a larger timeoutMs',
        },
      );
    case 'silence':
      return new BackendError(
        'retryable',
        `${context.address} fell silent for ${idleMs} ms in the middle of its reply`,
      );
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof APIError && error.status === 404;
}

async function explainNotFound(
  client: OpenAI,
  model: string,
  signal: AbortSignal,
  context: FailureContext,
): Promise<BackendError> {
  const listed = await listModels(client, signal).catch(() => undefined);
  if (listed && isListed(model, listed)) {
    return new BackendError(
      'permanent',
      `${context.address} lists the model ${model}, but answered 404 for it`,
      {
        status: 404,
        mend: 'see the log of that server',
      },
    );
  }
  return unknownModel(context.address, model, listed);
}
