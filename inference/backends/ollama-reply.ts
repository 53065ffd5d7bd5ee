import { BackendError } from '../backend.ts';
import type { ModelReply, ModelRequest } from '../backend.ts';
import { estimateUsage } from '../estimate.ts';
import { isObject, parseObject } from '../tool-arguments.ts';
import { promptTokens } from './ollama-context.ts';
import { contentAndCalls } from './reply-calls.ts';
import type { CallDraft } from './reply-calls.ts';

/** A reply in the making. */
export interface OllamaDraft {
  content: string;
  drafts: CallDraft[];
  isDone: boolean;
  doneReason: string | undefined;
  promptTokens: number | undefined;
  replyTokens: number | undefined;
}

export function emptyDraft(): OllamaDraft {
  return {
    content: '',
    drafts: [],
    isDone: false,
    doneReason: undefined,
    promptTokens: undefined,
    replyTokens: undefined,
  };
}

/** What a line of the stream says in place of a reply. */
export class OllamaStreamError extends Error {}

/**
 * Takes one line of the stream into the draft and returns the text it brought. What a model thinks (`thinking`) is a
 * sign of life and no part of the reply. Throws OllamaStreamError where the server says that it failed.
 */
export function takeLine(draft: OllamaDraft, line: string): string {
  if (line.trim() === '') return '';
  const part = parseObject(line);
  if (part === undefined)
    throw new BackendError('retryable', `a line of the reply is no JSON: ${line.slice(0, 100)}`);
  if (typeof part['error'] === 'string') throw new OllamaStreamError(part['error']);
  const message = isObject(part['message']) ? part['message'] : {};
  const calls = Array.isArray(message['tool_calls']) ? message['tool_calls'] : [];
  for (const call of calls) if (isObject(call)) draft.drafts.push(toDraft(call));
  if (part['done'] === true) {
    draft.isDone = true;
    draft.doneReason = typeof part['done_reason'] === 'string' ? part['done_reason'] : undefined;
    draft.promptTokens = countOf(part['prompt_eval_count']);
    draft.replyTokens = countOf(part['eval_count']);
  }
  const text = typeof message['content'] === 'string' ? message['content'] : '';
  draft.content += text;
  return text;
}

/** Calls come whole, their arguments as an object; some servers in between make them text. */
function toDraft(call: Record<string, unknown>): CallDraft {
  const given = isObject(call['function']) ? call['function'] : {};
  const { name, arguments: args = {} } = given;
  return {
    id: typeof call['id'] === 'string' ? call['id'] : undefined,
    name: typeof name === 'string' ? name : '',
    argumentsText: typeof args === 'string' ? args : JSON.stringify(args),
  };
}

const countOf = (value: unknown) => (typeof value === 'number' && value >= 0 ? value : undefined);

/**
 * The reply, once the stream has ended. Throws a BackendError: retryable if it ended before the reply did, permanent
 * if part of the prompt was cut.
 */
export function finishReply(
  draft: OllamaDraft,
  request: ModelRequest,
  contextTokens: number,
  requestId: string | undefined,
): ModelReply {
  if (!draft.isDone) throw new BackendError('retryable', 'the stream ended before the reply was finished');
  const { content, toolCalls } = contentAndCalls(draft.content, draft.drafts, request);
  const inputTokens = promptTokens(draft.promptTokens, request, contextTokens);
  const outputTokens = draft.replyTokens;
  const estimate = estimateUsage(request, content, toolCalls);
  return {
    content,
    toolCalls,
    finish: draft.doneReason === 'length' ? 'length' : toolCalls.length > 0 ? 'tool_calls' : 'stop',
    usage: {
      inputTokens: inputTokens ?? estimate.inputTokens,
      outputTokens: outputTokens ?? estimate.outputTokens,
      estimated: inputTokens === undefined || outputTokens === undefined,
    },
    ...(requestId !== undefined && { requestId }),
  };
}
