import type Anthropic from '@anthropic-ai/sdk';
import { BackendError } from '../backend.ts';
import type { ModelReply, ModelRequest, Usage } from '../backend.ts';
import { estimateUsage } from '../estimate.ts';
import type { Names } from './anthropic-names.ts';
import { contentAndCalls } from './reply-calls.ts';
import type { CallDraft } from './reply-calls.ts';

type Counts = Partial<
  Record<'input_tokens' | 'output_tokens' | 'cache_creation_input_tokens' | 'cache_read_input_tokens', number>
>;

/** A reply in the making. */
export interface MessageDraft {
  content: string;
  /** Calls by the index of their block. */
  calls: Map<number, CallDraft>;
  stopReason: string | undefined;
  refusal: string | undefined;
  counts: Counts;
}

export function emptyDraft(): MessageDraft {
  return { content: '', calls: new Map(), stopReason: undefined, refusal: undefined, counts: {} };
}

/** Takes one event into the draft and returns the text it brought. Unknown events and blocks are passed over, as the API asks. */
export function takeEvent(draft: MessageDraft, event: Anthropic.RawMessageStreamEvent): string {
  switch (event.type) {
    case 'message_start':
      count(draft, event.message.usage);
      return '';
    case 'content_block_start': {
      const block = event.content_block;
      if (block.type === 'tool_use')
        draft.calls.set(event.index, { id: block.id, name: block.name, argumentsText: '' });
      return say(draft, block.type === 'text' ? block.text : '');
    }
    case 'content_block_delta': {
      const { delta } = event;
      const call = draft.calls.get(event.index);
      if (delta.type === 'input_json_delta' && call) call.argumentsText += delta.partial_json;
      // Thinking is a sign of life and no part of the reply.
      return say(draft, delta.type === 'text_delta' ? delta.text : '');
    }
    case 'message_delta': {
      const { stop_reason: reason, stop_details: details } = event.delta;
      if (reason) draft.stopReason = reason;
      if (details?.type === 'refusal')
        draft.refusal = [details.category, details.explanation].filter(Boolean).join(': ');
      count(draft, event.usage);
      return '';
    }
    case 'content_block_stop':
    case 'message_stop':
      return '';
    default:
      return '';
  }
}

function say(draft: MessageDraft, text: string): string {
  draft.content += text;
  return text;
}

/** Later counts are of the whole message; those that are left out stay. */
function count(draft: MessageDraft, counts: object | null | undefined): void {
  for (const [name, value] of Object.entries(counts ?? {}) as [string, unknown][])
    if (typeof value === 'number') draft.counts[name as keyof Counts] = value;
}

/**
 * The reply, once the stream has ended. Throws a BackendError: retryable if it ended before the reply did, permanent if
 * the model declined.
 */
export function finishMessage(
  draft: MessageDraft,
  request: ModelRequest,
  names: Names,
  requestId: string | undefined,
): ModelReply {
  const { stopReason } = draft;
  if (stopReason === undefined)
    throw new BackendError('retryable', 'the stream ended before the reply was finished');
  if (stopReason === 'refusal')
    throw new BackendError(
      'permanent',
      `${request.model} declined to answer${draft.refusal ? ` (${draft.refusal})` : ''}`,
      { mend: 'word the task differently, or name another model as a fallback' },
    );
  // Only tools that run at the provider pause a turn, and it is given none.
  if (stopReason === 'pause_turn')
    throw new BackendError('retryable', `${request.model} paused in the middle of its reply`);
  const drafts = [...draft.calls.values()].map((call) => ({ ...call, name: names.meant(call.name) }));
  const { content, toolCalls } = contentAndCalls(draft.content, drafts, request);
  const isCut = stopReason === 'max_tokens' || stopReason === 'model_context_window_exceeded';
  return {
    content,
    toolCalls,
    finish: isCut ? 'length' : toolCalls.length > 0 ? 'tool_calls' : 'stop',
    usage: usageOf(draft.counts) ?? estimateUsage(request, content, toolCalls),
    ...(requestId !== undefined && { requestId }),
  };
}

/** `input_tokens` is without what was written to the cache or read from it; ours is all that the model read. */
function usageOf(counts: Counts): Usage | undefined {
  const { input_tokens: fresh, output_tokens: outputTokens } = counts;
  if (fresh === undefined || outputTokens === undefined) return undefined;
  const written = counts.cache_creation_input_tokens ?? 0;
  const cached = counts.cache_read_input_tokens ?? 0;
  return {
    inputTokens: fresh + written + cached,
    ...(cached > 0 && { cachedInputTokens: cached }),
    ...(written > 0 && { cacheWriteTokens: written }),
    outputTokens,
    estimated: false,
  };
}
