import { BackendError } from './backend.ts';
import type { Backend, ModelDefinition, ModelReply, ModelRequest } from './backend.ts';
import { createBackend } from './backends.ts';
import { readGguf, requireContext, type GgufHeader } from './backends/gguf.ts';
import { benchWidth, type WidthResult } from './bench.ts';

/** What `doctor` shows of a model, and what decides whether work may begin. */
export interface ModelCheck {
  ok: boolean;
  /** From asking to the whole reply; 0 where it did not come to asking. */
  latencyMs: number;
  /** Length of the reply, the arguments of a tool call included. */
  replyCharacters: number;
  /** Speed of writing, from the first word on; absent where the reply was too short to tell. */
  tokensPerSecond?: number;
  /** What is wrong, naming the variable, address or model. */
  problem?: string;
  /** What to do about it. */
  mend?: string;
}

/** A first call may load gigabytes before it answers. */
const checkTimeoutMs = 120_000;

/**
 * Is the model there, does the key fit, and does it answer a trivial prompt? The prompt offers a tool, because
 * a model that cannot call tools is of no use here. Costs a few tokens; never throws; tries once.
 */
export async function checkModel(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
  signal: AbortSignal = new AbortController().signal,
): Promise<ModelCheck> {
  const timeoutMs = Math.min(definition.timeoutMs, checkTimeoutMs);
  let askedAt: number | undefined;
  try {
    const backend = await createBackend({ ...definition, timeoutMs }, environment);
    await backend.check(definition.model, signal);
    askedAt = performance.now();
    return await askTrivially(backend, definition, signal);
  } catch (error) {
    const latencyMs = askedAt === undefined ? 0 : Math.round(performance.now() - askedAt);
    if (!(error instanceof BackendError)) throw error;
    const { problem, mend } = error;
    return { ok: false, latencyMs, replyCharacters: 0, problem, ...(mend !== undefined && { mend }) };
  }
}

/** Asks a trivial prompt and tells how it went. Throws BackendError where no reply came. */
export async function askTrivially(
  backend: Backend,
  definition: ModelDefinition,
  signal: AbortSignal,
): Promise<ModelCheck> {
  const askedAt = performance.now();
  let firstTextAt: number | undefined;
  const reply = await backend.complete(trivialRequest(definition), {
    signal,
    onText: () => (firstTextAt ??= performance.now()),
  });
  const endedAt = performance.now();
  const latencyMs = Math.round(endedAt - askedAt);
  const replyCharacters = charactersOf(reply);
  const speed = speedOf(reply, firstTextAt, askedAt, endedAt);
  // A model that thinks before it speaks may spend the whole allowance on that: it is there all the same.
  if (replyCharacters > 0 || reply.finish === 'length') {
    return { ok: true, latencyMs, replyCharacters, ...(speed !== undefined && { tokensPerSecond: speed }) };
  }
  const problem = `${definition.name} answered a trivial prompt with nothing`;
  return {
    ok: false,
    latencyMs,
    replyCharacters,
    problem,
    mend: 'try another model, or see the log of its server',
  };
}

function trivialRequest(definition: ModelDefinition): ModelRequest {
  return {
    model: definition.model,
    role: 'check',
    maxTokens: Math.min(256, definition.maxTokens),
    messages: [{ role: 'user', content: 'Say in one short sentence that you are ready.' }],
    tools: [
      {
        name: 'say-ready',
        description: 'Says that you are ready. Answering in words is just as good.',
        arguments: { type: 'object', properties: { text: { type: 'string' } } },
      },
    ],
  };
}

function charactersOf(reply: ModelReply): number {
  const ofCalls = reply.toolCalls.map((call) => call.name.length + JSON.stringify(call.arguments).length);
  return reply.content.length + ofCalls.reduce((sum, length) => sum + length, 0);
}

/** Of the writing alone where that can be told; a tool call, or what came in one piece, by the whole time that it took. */
function speedOf(
  reply: ModelReply,
  firstTextAt: number | undefined,
  askedAt: number,
  endedAt: number,
): number | undefined {
  const { outputTokens } = reply.usage;
  if (outputTokens < 1) return undefined;
  const isStreamed = firstTextAt !== undefined && outputTokens > 1 && endedAt - firstTextAt >= 1;
  const [tokens, sinceMs] = isStreamed ? [outputTokens - 1, firstTextAt] : [outputTokens, askedAt];
  return Math.round((tokens * 10_000) / Math.max(1, endedAt - sinceMs)) / 10;
}

/** The names of the models that the server of `definition` has; none where it cannot tell. Throws BackendError. */
export async function namesAt(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
  signal: AbortSignal,
): Promise<string[]> {
  const backend = await createBackend(definition, environment);
  try {
    return (await backend.models?.(signal)) ?? [];
  } finally {
    await backend.close?.();
  }
}

/** What a GGUF file says of its model. Throws a permanent BackendError where it is no whole GGUF file. */
export function describeGguf(file: string): GgufHeader {
  return readGguf(file);
}

/** What is wrong with the file that a model is made of, and which of its options mends it; undefined: nothing, or it has none. */
export async function fileProblem(
  definition: ModelDefinition,
): Promise<{ option: 'file' | 'contextTokens' | 'script'; what: string } | undefined> {
  const { backend, file } = definition;
  let option: 'file' | 'contextTokens' | 'script' = backend === 'scripted' ? 'script' : 'file';
  try {
    if (backend === 'scripted') await createBackend(definition, {});
    if (backend === 'llama' && file !== undefined) {
      const header = readGguf(file);
      option = 'contextTokens';
      requireContext(definition, header);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    return { option, what: error.message };
  }
}

/** How quick a model is at each width, one after the other. Throws BackendError where it gives no first reply. */
export async function* benchModel(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
  asked: { widths: number[]; tokens: number; signal: AbortSignal },
): AsyncGenerator<WidthResult> {
  const { widths, tokens, signal } = asked;
  const nowMs = () => performance.now();
  const backend = await createBackend(definition, environment);
  try {
    await backend.check(definition.model, signal);
    // The first reply may wait until the model is loaded; it would be measured as if it always did.
    const first = await benchWidth(backend, definition, { width: 1, tokens: 1, signal, nowMs });
    if (first.problem !== undefined)
      throw new BackendError('permanent', first.problem, { ...(first.mend && { mend: first.mend }) });
    for (const width of widths) {
      if (signal.aborted) return;
      yield await benchWidth(backend, definition, { width, tokens, signal, nowMs });
    }
  } finally {
    await backend.close?.();
  }
}
