import { capabilitiesOf, modelBackends } from '../../schemas/model-backends.ts';
import { BackendError } from '../backend.ts';
import type { Backend, ModelDefinition, ModelReply, ModelRequest } from '../backend.ts';
import { estimateTokens } from '../estimate.ts';
import { isObject, parseObject } from '../tool-arguments.ts';
import { requireRoom } from './ollama-context.ts';
import type { OllamaModel } from './ollama-context.ts';
import { noServer, refusal, streamFailure, wordsOf } from './ollama-failure.ts';
import { ask, linesOf, textOf } from './ollama-http.ts';
import type { HttpAnswer } from './ollama-http.ts';
import { emptyDraft, finishReply, OllamaStreamError, takeLine } from './ollama-reply.ts';
import { keepAlive, toChat } from './ollama-request.ts';
import { brokeOff, endedBy, providerOf, unknownModel } from './provider-failure.ts';
import { limitTime } from './time-limit.ts';
import type { TimeLimit } from './time-limit.ts';

/** Ollama gathers a whole tool call before it sends it, so a long silence within a reply may still be work. */
const defaultIdleTimeoutMs = 120_000;
const checkTimeoutMs = 10_000;

/**
 * Ollama by its own API. `definition.url` is the server's root (`http://127.0.0.1:11434`); `contextTokens` is what it
 * is asked to give the model. Throws a permanent BackendError where the URL is none or the key's variable is not set.
 */
export function ollama(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
  options: { idleTimeoutMs?: number | undefined } = {},
): Backend {
  const provider = providerOf(definition, environment, modelBackends.ollama.url.default);
  const { address } = provider;
  const keep = keepAlive(environment['OLLAMA_KEEP_ALIVE']);
  const { contextTokens } = definition;
  /** What has been found out about each model; asked once a process. */
  const found = new Map<string, OllamaModel>();

  /** Runs `work` under the clocks of one call; whatever it throws is a BackendError afterwards. */
  async function within<Result>(
    signal: AbortSignal,
    limits: { totalMs: number; idleMs: number },
    work: (limit: TimeLimit) => Promise<Result>,
  ): Promise<Result> {
    const limit = limitTime(signal, limits);
    try {
      return await work(limit);
    } catch (error) {
      throw (
        endedBy(limit, limits, address) ?? (error instanceof BackendError ? error : brokeOff(error, provider))
      );
    } finally {
      limit.release();
    }
  }

  async function send(path: string, signal: AbortSignal, body?: object): Promise<HttpAnswer> {
    return ask(provider, path, signal, body).catch((error: unknown) => {
      throw noServer(error, provider);
    });
  }

  /** The JSON object that a path answers with. */
  async function read(path: string, signal: AbortSignal, body?: object): Promise<Record<string, unknown>> {
    const answer = await send(path, signal, body);
    const text = await textOf(answer);
    if (answer.status !== 200) throw refusal(answer.status, text, answer.headers, provider);
    const value = parseObject(text);
    if (value === undefined)
      throw new BackendError('permanent', `${address}${path} does not answer as Ollama does`, {
        mend: "check that the model's url is the root of an Ollama server, such as http://127.0.0.1:11434",
      });
    return value;
  }

  async function list(signal: AbortSignal): Promise<string[]> {
    const { models } = await read('/api/tags', signal);
    const entries = Array.isArray(models) ? models : [];
    return entries.flatMap((one) => (isObject(one) && typeof one['name'] === 'string' ? [one['name']] : []));
  }

  /** The error of a 404: the model is not there, or this is no Ollama. */
  async function notFound(model: string, words: string, signal: AbortSignal): Promise<BackendError> {
    if (!/model/i.test(words))
      return new BackendError('permanent', `${address} does not know Ollama's API (404)`, {
        status: 404,
        mend: "check that the model's url is the root of an Ollama server; one that speaks OpenAI's API is of the backend openai",
      });
    return unknownModel(provider, model, await list(signal), `ollama pull ${model}`);
  }

  /**
   * What the model was made for and which Ollama this is. Throws where it is not there, or is asked for a larger
   * context than it has: Ollama would give it less and say nothing.
   */
  async function lookUp(model: string, signal: AbortSignal): Promise<OllamaModel> {
    const known = found.get(model);
    if (known) return known;
    const answer = await send('/api/show', signal, { model });
    const text = await textOf(answer);
    if (answer.status === 404) throw await notFound(model, wordsOf(text), signal);
    if (answer.status !== 200) throw refusal(answer.status, text, answer.headers, provider);
    const longestTokens = contextLengthOf(parseObject(text) ?? {});
    if (longestTokens !== undefined && contextTokens > longestTokens)
      throw new BackendError(
        'permanent',
        `model ${definition.name} asks for a context of ${contextTokens} tokens, and ${model} was made for ${longestTokens}`,
        {
          mend: `set its contextTokens to ${longestTokens} or less (with --model: OLLAMA_CONTEXT_LENGTH=${longestTokens})`,
        },
      );
    const about = await send('/api/version', signal);
    const version = parseObject(await textOf(about))?.['version'];
    const facts = { longestTokens, version: typeof version === 'string' ? version : undefined };
    found.set(model, facts);
    return facts;
  }

  async function converse(
    request: ModelRequest,
    limit: TimeLimit,
    onText: (text: string) => void,
  ): Promise<ModelReply> {
    requireRoom(request, contextTokens, await lookUp(request.model, limit.signal));
    const answer = await send('/api/chat', limit.signal, toChat(request, contextTokens, keep));
    const requestId = answer.headers.get('x-request-id') ?? undefined;
    if (answer.status !== 200) {
      const text = await textOf(answer);
      if (answer.status === 404) throw await notFound(request.model, wordsOf(text), limit.signal);
      throw refusal(answer.status, text, answer.headers, provider);
    }
    const draft = emptyDraft();
    try {
      for await (const line of linesOf(answer)) {
        limit.alive();
        const text = takeLine(draft, line);
        if (text !== '') onText(text);
      }
    } catch (error) {
      if (error instanceof OllamaStreamError) throw streamFailure(error.message, provider, requestId);
      throw error;
    }
    return finishReply(draft, request, contextTokens, requestId);
  }

  const quick = { totalMs: Math.min(definition.timeoutMs, checkTimeoutMs), idleMs: checkTimeoutMs };
  return {
    capabilities: capabilitiesOf(definition),

    complete(request, { signal, onText }) {
      const limits = {
        totalMs: definition.timeoutMs,
        idleMs: options.idleTimeoutMs ?? defaultIdleTimeoutMs,
      };
      return within(signal, limits, (limit) => converse(request, limit, onText));
    },

    check(model, signal) {
      // Looked up anew: a model may have been exchanged since.
      found.delete(model);
      return within(signal, quick, async (limit) => void (await lookUp(model, limit.signal)));
    },

    models: (signal) => within(signal, quick, (limit) => list(limit.signal)),

    embed(texts, signal) {
      const limits = { totalMs: definition.timeoutMs, idleMs: definition.timeoutMs };
      return within(signal, limits, async (limit) => {
        const { model } = definition;
        await lookUp(model, limit.signal);
        const body = {
          model,
          input: texts,
          truncate: false,
          keep_alive: keep,
          options: { num_ctx: contextTokens },
        };
        const reply = await read('/api/embed', limit.signal, body);
        const vectors = vectorsOf(reply['embeddings'], texts.length);
        if (!vectors) throw new BackendError('retryable', `${address} did not answer with one vector a text`);
        const counted = reply['prompt_eval_count'];
        return {
          vectors,
          inputTokens: typeof counted === 'number' ? counted : estimateTokens(texts.join('')),
        };
      });
    },
  };
}

/** `llama.context_length` and the like, whatever the architecture is called. */
function contextLengthOf(shown: Record<string, unknown>): number | undefined {
  const info = isObject(shown['model_info']) ? shown['model_info'] : {};
  const architecture = info['general.architecture'];
  const named = typeof architecture === 'string' ? info[`${architecture}.context_length`] : undefined;
  const value = named ?? Object.entries(info).find(([name]) => name.endsWith('.context_length'))?.[1];
  return typeof value === 'number' && value > 0 ? value : undefined;
}

function vectorsOf(value: unknown, count: number): number[][] | undefined {
  if (!Array.isArray(value) || value.length !== count) return undefined;
  const isVector = (one: unknown) => Array.isArray(one) && one.every((number) => typeof number === 'number');
  return value.every(isVector) ? (value as number[][]) : undefined;
}
