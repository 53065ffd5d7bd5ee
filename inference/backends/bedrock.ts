import { ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import type {
  ConverseStreamCommandInput,
  ConverseStreamCommandOutput,
} from '@aws-sdk/client-bedrock-runtime';
import { BackendError } from '../backend.ts';
import type { Backend, ModelDefinition, ModelReply, ModelRequest } from '../backend.ts';
import { capabilitiesOf } from '../../schemas/model-backends.ts';
import { connect } from './bedrock-connection.ts';
import type { Connection } from './bedrock-connection.ts';
import { toBackendError } from './bedrock-failure.ts';
import { refusedPart, schemaTool, toInput } from './bedrock-request.ts';
import type { Refused } from './bedrock-request.ts';
import { emptyDraft, finishReply, takeEvent } from './bedrock-stream.ts';
import { limitTime } from './time-limit.ts';
import type { TimeLimit } from './time-limit.ts';

const defaultIdleTimeoutMs = 120_000;
const checkTimeoutMs = 10_000;

/**
 * Models of Amazon Bedrock, asked with ConverseStream. Region and credentials are those of the usual AWS chain;
 * `definition.url` is an endpoint in place of the region's own. Throws a permanent BackendError where the URL is none;
 * what else is missing is told with the first call or check, because looking for it may mean asking AWS.
 */
export function bedrock(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
  options: { idleTimeoutMs?: number | undefined } = {},
): Backend {
  const { url } = definition;
  if (url !== undefined && !URL.canParse(url)) {
    throw new BackendError('permanent', `model ${definition.name} has no valid url: ${url}`, {
      mend: 'leave it out, or give an endpoint of Bedrock such as https://bedrock-runtime.eu-central-1.amazonaws.com',
    });
  }
  const idleMs = options.idleTimeoutMs ?? defaultIdleTimeoutMs;
  const refused = new Set<Refused>();
  let connecting: ReturnType<typeof connect> | undefined;

  /** Kept once it succeeded; where it did not, what was missing may be there the next time. */
  async function connection(): Promise<Connection> {
    const attempt = (connecting ??= connect(definition, environment));
    attempt.catch(() => (connecting = undefined));
    return (await attempt)();
  }

  /** Runs `work` under a time limit, and tells every failure as a BackendError. */
  async function within<Result>(
    limit: TimeLimit,
    limits: { model: string; totalMs: number; idleMs: number },
    work: (connection: Connection) => Promise<Result>,
  ): Promise<Result> {
    let open: Connection | undefined;
    try {
      limit.signal.throwIfAborted();
      open = await unlessAborted(connection(), limit.signal);
      return await work(open);
    } catch (error) {
      const address = open?.address ?? definition.url ?? 'AWS';
      const ended = endedBy(limit, limits, address);
      if (ended) throw ended;
      throw toBackendError(error, { ...(open ?? unknownYet), address, model: limits.model });
    } finally {
      limit.release();
    }
  }

  return {
    capabilities: capabilitiesOf(definition),

    complete(request, { signal, onText }) {
      const totalMs = definition.timeoutMs;
      const limit = limitTime(signal, { totalMs, idleMs });
      return within(limit, { model: request.model, totalMs, idleMs }, (open) =>
        converse(open, request, refused, limit, onText),
      );
    },

    check(model, signal) {
      const totalMs = Math.min(definition.timeoutMs, checkTimeoutMs);
      const limit = limitTime(signal, { totalMs, idleMs: totalMs });
      return within(limit, { model, totalMs, idleMs: totalMs }, (open) => probe(open, model, limit.signal));
    },

    async close() {
      const open = await connecting?.then((ready) => ready()).catch(() => undefined);
      open?.client.destroy();
    },
  };
}

/** For failures before it is known where and as whom AWS is asked. */
const unknownYet = { region: '', credentials: '', variables: '', secrets: [] };

async function converse(
  { client, ...context }: Connection,
  request: ModelRequest,
  refused: Set<Refused>,
  limit: TimeLimit,
  onText: (text: string) => void,
): Promise<ModelReply> {
  const { output, input } = await openStream(client, request, refused, limit.signal);
  const requestId = output.$metadata.requestId;
  const draft = emptyDraft(input.outputConfig ? undefined : schemaTool(request));
  try {
    for await (const event of output.stream ?? []) {
      limit.alive();
      const text = takeEvent(draft, event);
      if (text !== '') onText(text);
    }
    return finishReply(draft, request, requestId);
  } catch (error) {
    if (limit.ended()) throw error;
    const failure = toBackendError(error, { ...context, model: request.model });
    if (failure.requestId !== undefined || requestId === undefined) throw failure;
    const { kind, problem, mend, ...more } = failure;
    throw new BackendError(kind, problem, { ...more, ...(mend !== undefined && { mend }), requestId });
  }
}

/** Opens the stream. What the model refuses is left out from then on; a refusal costs no tokens. */
async function openStream(
  client: Connection['client'],
  request: ModelRequest,
  refused: Set<Refused>,
  abortSignal: AbortSignal,
): Promise<{ output: ConverseStreamCommandOutput; input: ConverseStreamCommandInput }> {
  for (;;) {
    const input = toInput(request, refused);
    try {
      return { output: await client.send(new ConverseStreamCommand(input), { abortSignal }), input };
    } catch (error) {
      const isRefusal = error instanceof Error && error.name === 'ValidationException';
      const part = isRefusal ? refusedPart(error.message, input) : undefined;
      if (part === undefined) throw error;
      refused.add(part);
    }
  }
}

/**
 * Sends a request that Bedrock refuses before any model reads it: the longest reply is to have no token at all. Only
 * that refusal says that address, credentials and permission are good. Other ways cost a permission that asking does
 * not need, or a model that can count tokens.
 */
async function probe(
  { client, ...context }: Connection,
  model: string,
  abortSignal: AbortSignal,
): Promise<void> {
  const input = { modelId: model, messages: [], inferenceConfig: { maxTokens: 0 } };
  try {
    await client.send(new ConverseStreamCommand(input), { abortSignal });
  } catch (error) {
    const failure = toBackendError(error, { ...context, model });
    const isOfOurs = /maxTokens|conversation|messages/i.test(failure.problem);
    if (error instanceof Error && error.name === 'ValidationException' && isOfOurs) return;
    throw failure;
  }
}

/** Looking for credentials cannot be cancelled, but need not be waited for. */
async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(new Error('aborted'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function endedBy(
  limit: TimeLimit,
  { totalMs, idleMs }: { totalMs: number; idleMs: number },
  address: string,
): BackendError | undefined {
  switch (limit.ended()) {
    case undefined:
      return undefined;
    case 'cancelled':
      return new BackendError('permanent', 'the call was cancelled');
    case 'timeout':
      return new BackendError('retryable', `${address} did not finish within ${totalMs} ms`, {
        mend: 'a slow model may need a larger timeoutMs',
      });
    case 'silence':
      return new BackendError(
        'retryable',
        `${address} fell silent for ${idleMs} ms in the middle of its reply`,
      );
  }
}
