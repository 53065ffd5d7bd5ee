import { BackendError } from './backend.ts';
import type { Backend, ModelDefinition, ModelRequest } from './backend.ts';

/** How quick a model is at one width: so many replies at a time. */
export interface WidthResult {
  width: number;
  /** Of all replies together, from the first request to the end of the last reply. */
  tokensPerSecond: number;
  /** From a request to its first word: the middle one and the worst, in milliseconds. */
  firstTokenMs: { median: number; worst: number };
  outputTokens: number;
  /** True where the server did not count the tokens itself. */
  isEstimated: boolean;
  wallMs: number;
  /** Replies that did not come, and why the first of them did not. */
  failed: number;
  problem?: string;
  mend?: string;
}

interface Measured {
  firstTokenMs: number;
  outputTokens: number;
  isEstimated: boolean;
}

/** What is measured, and by which clock (milliseconds from any beginning). */
export interface BenchOptions {
  width: number;
  /** Longest reply. */
  tokens: number;
  signal: AbortSignal;
  nowMs: () => number;
}

/** Asks for as many replies at a time as `width` says, all different, and measures them. Never throws for a failed reply. */
export async function benchWidth(
  backend: Backend,
  definition: ModelDefinition,
  asked: BenchOptions,
): Promise<WidthResult> {
  const startedAt = asked.nowMs();
  const ended = await Promise.allSettled(
    Array.from({ length: asked.width }, (_, place) => measure(backend, definition, place, asked)),
  );
  const wallMs = asked.nowMs() - startedAt;
  const measured = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failures = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  const outputTokens = measured.reduce((sum, one) => sum + one.outputTokens, 0);
  const firsts = measured.map((one) => one.firstTokenMs).toSorted((left, right) => left - right);
  return {
    width: asked.width,
    tokensPerSecond: Math.round((outputTokens * 10_000) / Math.max(1, wallMs)) / 10,
    firstTokenMs: {
      median: Math.round(firsts[Math.floor((firsts.length - 1) / 2)] ?? 0),
      worst: Math.round(firsts.at(-1) ?? 0),
    },
    outputTokens,
    isEstimated: measured.some((one) => one.isEstimated),
    wallMs: Math.round(wallMs),
    failed: failures.length,
    ...whyOf(failures[0]),
  };
}

async function measure(
  backend: Backend,
  definition: ModelDefinition,
  place: number,
  { tokens, signal, nowMs }: BenchOptions,
): Promise<Measured> {
  const askedAt = nowMs();
  let firstAt: number | undefined;
  const reply = await backend.complete(requestOf(definition, place, tokens), {
    signal,
    onText: () => (firstAt ??= nowMs()),
  });
  return {
    firstTokenMs: (firstAt ?? nowMs()) - askedAt,
    outputTokens: reply.usage.outputTokens,
    isEstimated: reply.usage.estimated,
  };
}

/** Long enough to fill any allowance; different each time, so that no cache answers. */
function requestOf(definition: ModelDefinition, place: number, tokens: number): ModelRequest {
  return {
    model: definition.model,
    role: 'bench',
    runId: `bench-${place}`,
    maxTokens: Math.min(tokens, definition.maxTokens),
    tools: [],
    messages: [
      {
        role: 'user',
        content: `Story ${place + 1}: write a long story, at least two thousand words, about a town with ${place + 3} railway stations. Do not stop early.`,
      },
    ],
  };
}

function whyOf(failure: unknown): Pick<WidthResult, 'problem' | 'mend'> {
  if (failure === undefined) return {};
  if (!(failure instanceof BackendError))
    return { problem: failure instanceof Error ? failure.message : String(failure) };
  return { problem: failure.problem, ...(failure.mend !== undefined && { mend: failure.mend }) };
}
