import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { Stream } from '@anthropic-ai/sdk/core/streaming';
import { capabilitiesOf, modelBackends } from '../../schemas/model-backends.ts';
import { BackendError } from '../backend.ts';
import type { Backend, ModelDefinition, ModelReply, ModelRequest } from '../backend.ts';
import { parseObject } from '../tool-arguments.ts';
import { StreamError, toBackendError, wordsOf } from './anthropic-failure.ts';
import { namesOf } from './anthropic-names.ts';
import type { Names } from './anthropic-names.ts';
import { refusedSamplings, samplings, toParams } from './anthropic-request.ts';
import type { Params, Sampling } from './anthropic-request.ts';
import { isAboutSchema, schemaForms } from './anthropic-schema.ts';
import { emptyDraft, finishMessage, takeEvent } from './anthropic-stream.ts';
import { endedBy, providerOf, unknownModel } from './provider-failure.ts';
import type { Provider } from './provider-failure.ts';
import { limitTime } from './time-limit.ts';
import type { TimeLimit } from './time-limit.ts';

/** The API sends a ping every few seconds, whatever the model does. */
const defaultIdleTimeoutMs = 120_000;
const checkTimeoutMs = 10_000;

/**
 * Anthropic's models by the Messages API. `definition.url` is the API's root (`https://api.anthropic.com`), or that of
 * a gateway which speaks it. Throws a permanent BackendError where the URL is none or the key's variable is not set.
 */
export function anthropic(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
  options: { idleTimeoutMs?: number | undefined } = {},
): Backend {
  const provider = providerOf(definition, environment, modelBackends.anthropic.url.default);
  const { address } = provider;
  const client = clientOf(provider);
  const forms = schemaForms();
  const refused = new Set<Sampling>();
  let mayThink = true;

  /** Runs `work` under the clocks of one call; whatever it throws is a BackendError afterwards. */
  async function within<Result>(
    signal: AbortSignal,
    limits: { totalMs: number; idleMs: number },
    work: (limit: TimeLimit, begun: (requestId: string | undefined) => void) => Promise<Result>,
  ): Promise<Result> {
    const limit = limitTime(signal, limits);
    let requestId: string | undefined;
    try {
      return await work(limit, (id) => (requestId = id));
    } catch (error) {
      throw endedBy(limit, limits, address) ?? toBackendError(error, provider, requestId);
    } finally {
      limit.release();
    }
  }

  /** Opens the stream. What this model refuses is left out from then on, which costs no tokens. */
  async function open(request: ModelRequest, names: Names, signal: AbortSignal): Promise<Response> {
    for (;;) {
      const params = toParams(request, names, { form: forms.of(request), refused, mayThink });
      try {
        // Whole, and not as the client's stream: that one keeps the pings to itself.
        const headers = versionFor(params);
        return await client.messages.create(params, { signal, headers }).asResponse();
      } catch (error) {
        if (!(error instanceof APIError) || error.status !== 400) throw error;
        const { words } = wordsOf(error.error, error.message);
        const complained = refusedSamplings(words, params);
        if (complained.length > 0) for (const name of complained) refused.add(name);
        // A conversation does not keep what was thought. Where a model wants that back, it thinks no more.
        else if (params.thinking === undefined && /\bthinking\b/i.test(words)) mayThink = false;
        else if (!isAboutSchema(words) || !forms.refused(request)) throw error;
      }
    }
  }

  async function converse(
    request: ModelRequest,
    limit: TimeLimit,
    onText: (text: string) => void,
    begun: (requestId: string | undefined) => void,
  ): Promise<ModelReply> {
    const names = namesOf(request);
    const response = await open(request, names, limit.signal);
    const requestId = response.headers.get('request-id') ?? undefined;
    begun(requestId);
    refuseOtherThanStream(response, address);
    const draft = emptyDraft();
    for await (const { event, data } of Stream.rawEvents(response)) {
      limit.alive();
      if (event === 'error') throw new StreamError(data);
      if (event === 'ping' || data === '') continue;
      const parsed = parseObject(data);
      if (parsed === undefined)
        throw new BackendError('retryable', `an event of the reply is no JSON: ${data.slice(0, 100)}`);
      const text = takeEvent(draft, parsed as unknown as Anthropic.RawMessageStreamEvent);
      if (text !== '') onText(text);
    }
    return finishMessage(draft, request, names, requestId);
  }

  async function list(signal: AbortSignal): Promise<string[]> {
    const ids: string[] = [];
    for await (const model of client.models.list({ limit: 1000 }, { signal })) ids.push(model.id);
    return ids;
  }

  /** A 404 explained: no such model, or a root that is not the API's. */
  async function notFound(model: string, signal: AbortSignal): Promise<BackendError> {
    const listed = await list(signal).catch(() => undefined);
    if (listed === undefined)
      return new BackendError(
        'permanent',
        `${address} knows neither the model ${model} nor a list of its models (404)`,
        {
          status: 404,
          mend: "check that the model's url is the API's root, such as https://api.anthropic.com",
        },
      );
    if (listed.includes(model))
      return new BackendError('permanent', `${address} lists the model ${model}, but answered 404 for it`, {
        status: 404,
        mend: 'see which APIs your key may use',
      });
    return unknownModel(provider, model, listed);
  }

  const quick = { totalMs: Math.min(definition.timeoutMs, checkTimeoutMs), idleMs: checkTimeoutMs };
  return {
    capabilities: capabilitiesOf(definition),

    complete(request, { signal, onText }) {
      const limits = { totalMs: definition.timeoutMs, idleMs: options.idleTimeoutMs ?? defaultIdleTimeoutMs };
      return within(signal, limits, async (limit, begun) => {
        try {
          return await converse(request, limit, onText, begun);
        } catch (error) {
          if (!isNotFound(error)) throw error;
          begun(error.requestID ?? undefined);
          throw await notFound(request.model, limit.signal);
        }
      });
    },

    check(model, signal) {
      return within(signal, quick, async (limit) => {
        const found = await client.models
          // By its own path, which knows aliases that the list leaves out.
          .retrieve(model, {}, { signal: limit.signal })
          .catch(async (error: unknown) => {
            if (!isNotFound(error)) throw error;
            const listed = await list(limit.signal).catch((): string[] => []);
            if (!listed.includes(model)) throw await notFound(model, limit.signal);
            return undefined;
          });
        const longest = found?.max_input_tokens ?? undefined;
        if (longest !== undefined && definition.contextTokens > longest)
          throw new BackendError(
            'permanent',
            `model ${definition.name} asks for a context of ${definition.contextTokens} tokens, and ${model} has ${longest}`,
            { mend: `set its contextTokens to ${longest} or less` },
          );
      });
    },

    models: (signal) => within(signal, quick, (limit) => list(limit.signal)),
  };
}

/** The official client, without retries, clock, telemetry or environment of its own. */
function clientOf({ address, key }: Provider): Anthropic {
  return new Anthropic({
    baseURL: address,
    // The client would look for credentials by itself; see plainHeaders for the real key.
    apiKey: 'none',
    maxRetries: 0,
    // The time limit of each call is the only clock, so that a timeout is told as one.
    timeout: 2 ** 31 - 1,
    logLevel: 'off',
    openTelemetry: false,
    fetch: (input, init) =>
      fetch(input, { ...init, redirect: 'manual', headers: plainHeaders(init?.headers, key) }),
  });
}

/** Only what the call needs leaves the process: no headers out of ANTHROPIC_CUSTOM_HEADERS, no facts of the machine. */
function plainHeaders(given: ConstructorParameters<typeof Headers>[0], key: string | undefined): Headers {
  const all = new Headers(given);
  const headers = new Headers({ 'user-agent': 'switchyard' });
  for (const name of ['accept', 'content-type', 'anthropic-version']) {
    const value = all.get(name);
    if (value !== null) headers.set(name, value);
  }
  if (key !== undefined) headers.set('x-api-key', key);
  return headers;
}

/**
 * The client speaks the API's version of October 2026, which knows neither temperature nor top_p; models that still
 * take one are asked by the version before. In all that we use the two are the same.
 */
function versionFor(params: Params): Record<string, string> {
  const hasNone = samplings.every((name) => params[name] === undefined);
  return hasNone ? {} : { 'anthropic-version': '2023-06-01' };
}

function isNotFound(error: unknown): error is APIError {
  return error instanceof APIError && error.status === 404;
}

function refuseOtherThanStream(response: Response, address: string): void {
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('text/html'))
    throw new BackendError('permanent', `${address} answered with a web page`, {
      mend: "check that the model's url is the API's root, such as https://api.anthropic.com",
    });
  if (type.includes('application/json'))
    throw new BackendError(
      'retryable',
      `${address} answered in one piece, not with the stream it was asked for`,
    );
}
