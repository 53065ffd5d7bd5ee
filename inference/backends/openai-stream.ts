import { APIError } from 'openai';
import type OpenAI from 'openai';
import { BackendError } from '../backend.ts';
import type { ModelReply, ModelRequest } from '../backend.ts';
import { estimateUsage } from '../estimate.ts';
import { contentAndCalls } from './reply-calls.ts';
import type { CallDraft } from './reply-calls.ts';

type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk;
type CallDelta = OpenAI.Chat.Completions.ChatCompletionChunk.Choice.Delta.ToolCall;

/** A tool call in the making: its arguments arrive in pieces that are no JSON by themselves. */
interface Draft extends CallDraft {
  index: number | undefined;
}

/** A reply in the making. */
export interface ReplyDraft {
  content: string;
  drafts: Draft[];
  finish: string | undefined;
  usage: { inputTokens: number; outputTokens: number } | undefined;
}

export function emptyDraft(): ReplyDraft {
  return { content: '', drafts: [], finish: undefined, usage: undefined };
}

/** Takes one chunk into the draft and returns the text it brought. Throws an APIError where it is an error. */
export function takeChunk(draft: ReplyDraft, chunk: Chunk): string {
  // An older vLLM puts an error where a chunk would be, instead of into a member `error`, which the client knows.
  if ((chunk.object as string) === 'error') throw new APIError(undefined, chunk, undefined, undefined);
  if (chunk.usage)
    draft.usage = { inputTokens: chunk.usage.prompt_tokens, outputTokens: chunk.usage.completion_tokens };
  // Usage comes in a chunk without choices, and some servers send chunks of their own making.
  const choice = Array.isArray(chunk.choices) ? chunk.choices[0] : undefined;
  if (!choice) return '';
  for (const delta of choice.delta?.tool_calls ?? []) takeCall(draft.drafts, delta);
  if (choice.finish_reason) draft.finish = choice.finish_reason;
  // The model says no in words of another kind.
  const text = choice.delta?.content ?? choice.delta?.refusal ?? '';
  draft.content += text;
  return text;
}

/**
 * Pieces of one call share its index. Not with every server: Ollama gave every parallel call index 0
 * (ollama#15457), older ones none; there a new id together with a name begins a new call.
 */
function takeCall(drafts: Draft[], delta: CallDelta): void {
  const last = drafts.findLast((draft) => delta.index === undefined || draft.index === delta.index);
  const name = delta.function?.name;
  const isNew = !last || (Boolean(name) && Boolean(delta.id) && delta.id !== last.id);
  const draft = isNew ? { index: delta.index, id: undefined, name: '', argumentsText: '' } : last;
  if (isNew) drafts.push(draft);
  draft.id ??= delta.id || undefined;
  // The name is not sent in pieces, but some servers repeat it with every piece.
  if (draft.name === '') draft.name = name ?? '';
  const piece: unknown = delta.function?.arguments ?? '';
  draft.argumentsText += typeof piece === 'string' ? piece : JSON.stringify(piece);
}

/** The reply, once the stream has ended. Throws a retryable BackendError if it ended before the reply did. */
export function finishReply(draft: ReplyDraft, request: ModelRequest): ModelReply {
  if (draft.finish === undefined) {
    throw new BackendError('retryable', 'the stream ended before the reply was finished');
  }
  // vLLM, of a request that it stops by itself.
  if (draft.finish === 'abort' || draft.finish === 'error')
    throw new BackendError('retryable', `the server gave its reply up (${draft.finish})`);
  if (draft.finish === 'content_filter') {
    throw new BackendError('permanent', "the provider's content filter stopped the reply");
  }
  const { content, toolCalls } = contentAndCalls(draft.content, draft.drafts, request);
  const usage = draft.usage
    ? { ...draft.usage, estimated: false }
    : estimateUsage(request, content, toolCalls);
  const finish = draft.finish === 'length' ? 'length' : toolCalls.length > 0 ? 'tool_calls' : 'stop';
  return { content, toolCalls, finish, usage };
}
