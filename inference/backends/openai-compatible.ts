import { APIError } from 'openai';
import type OpenAI from 'openai';
import { BackendError } from '../backend.ts';
import type { Backend, ModelDefinition, ModelReply, ModelRequest } from '../backend.ts';
import { capabilitiesOf } from '../../schemas/model-backends.ts';
import { apiOf, isOpenAi, wantsResponses } from './openai-apis.ts';
import { askChat, askResponses } from './openai-ask.ts';
import { clientOf, refuseOtherThanStream } from './openai-connection.ts';
import { embedTexts } from './openai-embeddings.ts';
import { excerptOf, requestIdOf, toBackendError, withRequestId } from './openai-failure.ts';
import type { FailureContext } from './openai-failure.ts';
import { nothingLearned } from './openai-learned.ts';
import { isListed, listModels, unknownModel } from './openai-models.ts';
import { endedBy } from './provider-failure.ts';
import { limitTime } from './time-limit.ts';
import type { TimeLimit } from './time-limit.ts';

/**
 * Ollama gathers a whole tool call before it sends it, so a silence in the middle of a reply may be long on
 * a slow machine and still be work.
 */
const defaultIdleTimeoutMs = 120_000;
const checkTimeoutMs = 10_000;

/** What a server that speaks the OpenAI API does in a way of its own. */
export interface Dialect {
  /** True where a refusal means that there is no such model; by default a 404 or its code. */
  isUnknownModel?(error: APIError): boolean;
  /** A refusal that only this server knows. */
  explain?(error: APIError, context: FailureContext): BackendError | undefined;
  /** Is the server there? Asked before its list of models. Throws BackendError, or what fetch throws. */
  probe?(signal: AbortSignal): Promise<void>;
}

/** A model behind the OpenAI API at `context.address`: chat completions, responses, embeddings, models. */
export function openAiCompatible(
  definition: ModelDefinition,
  context: FailureContext,
  options: { idleTimeoutMs?: number | undefined; dialect?: Dialect } = {},
): Backend {
  const { dialect = {}, idleTimeoutMs: idleMs = defaultIdleTimeoutMs } = options;
  const client = clientOf(context);
  const learned = nothingLearned();
  // OpenAI's newer models refuse the old name of this parameter; the other servers may not know the new one.
  if (isOpenAi(context.address)) learned.refused.add('max_tokens');
  let api = apiOf(definition, context.address);
  const callLimits = { totalMs: definition.timeoutMs, idleMs };
  const checkLimitMs = Math.min(definition.timeoutMs, checkTimeoutMs);
  const checkLimits = { totalMs: checkLimitMs, idleMs: checkLimitMs };

  /** Runs one exchange under a clock; whatever goes wrong comes out as a BackendError. */
  async function timed<Result>(
    signal: AbortSignal,
    limits: { totalMs: number; idleMs: number },
    model: string,
    work: (limit: TimeLimit, seen: FailureContext) => Promise<Result>,
  ): Promise<Result> {
    const limit = limitTime(signal, limits);
    const seen: FailureContext = { ...context, model };
    try {
      limit.signal.throwIfAborted();
      return await work(limit, seen);
    } catch (error) {
      const ended = endedBy(limit, limits, context.address);
      if (ended) throw withRequestId(ended, seen.requestId);
      if (error instanceof APIError) throw await explain(error, model, limit.signal, seen);
      throw toBackendError(error, seen);
    } finally {
      limit.release();
    }
  }

  async function explain(
    error: APIError,
    model: string,
    signal: AbortSignal,
    seen: FailureContext,
  ): Promise<BackendError> {
    if (wantsResponses(error)) {
      const problem = `${context.address} serves ${model} by another API: ${excerptOf(error, seen)}`;
      const mend = 'set `api: responses` for this model, or leave `api` out';
      return withRequestId(
        new BackendError('permanent', problem, { status: error.status, mend }),
        requestIdOf(error.headers),
      );
    }
    const isUnknown = dialect.isUnknownModel?.(error) ?? isNotFound(error);
    const told = isUnknown
      ? await explainNotFound(client, error, model, signal, seen)
      : (dialect.explain?.(error, seen) ?? toBackendError(error, seen));
    return withRequestId(told, requestIdOf(error.headers) ?? seen.requestId);
  }

  async function converse(
    request: ModelRequest,
    limit: TimeLimit,
    seen: FailureContext,
    onText: (text: string) => void,
  ): Promise<ModelReply> {
    const call = {
      client,
      request,
      signal: limit.signal,
      learned,
      alive: () => limit.alive(),
      onText,
      onResponse(response: Response) {
        seen.requestId = requestIdOf(response.headers);
        refuseOtherThanStream(response, context);
      },
    };
    if (api === 'responses') return askResponses(call);
    try {
      return await askChat(call);
    } catch (error) {
      if (definition.api !== undefined || !wantsResponses(error)) throw error;
      api = 'responses';
      return askResponses(call);
    }
  }

  return {
    capabilities: capabilitiesOf(definition),

    complete: (request, { signal, onText }) =>
      timed(signal, callLimits, request.model, async (limit, seen) => {
        const reply = await converse(request, limit, seen, onText);
        return { ...reply, ...(seen.requestId !== undefined && { requestId: seen.requestId }) };
      }),

    check: (model, signal) =>
      timed(signal, checkLimits, model, async (limit) => {
        await dialect.probe?.(limit.signal);
        const listed = await listModels(client, limit.signal);
        // A server without a list is there; whether it has the model only a prompt can tell.
        if (listed && !isListed(model, listed)) throw unknownModel(context.address, model, listed);
      }),

    models: (signal) =>
      timed(signal, checkLimits, definition.model, async (limit) => {
        const listed = await listModels(client, limit.signal);
        if (listed) return listed;
        throw new BackendError('permanent', `${context.address} has no list of its models`);
      }),

    embed: (texts, signal) =>
      timed(signal, callLimits, definition.model, (limit) =>
        embedTexts(client, definition.model, texts, limit.signal),
      ),
  };
}

/** Chat completions answer 404, the responses API 400. */
function isNotFound(error: APIError): boolean {
  return error.status === 404 || error.code === 'model_not_found';
}

async function explainNotFound(
  client: OpenAI,
  error: APIError,
  model: string,
  signal: AbortSignal,
  context: FailureContext,
): Promise<BackendError> {
  const listed = await listModels(client, signal).catch(() => undefined);
  if (!listed || !isListed(model, listed)) return unknownModel(context.address, model, listed);
  const { status } = error;
  const problem = `${context.address} lists the model ${model}, but answered ${status} for it`;
  return new BackendError('permanent', `${problem}: ${excerptOf(error, context)}`, {
    status,
    mend: 'see the log of that server',
  });
}
