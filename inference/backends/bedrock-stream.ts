import type { ConverseStreamOutput, TokenUsage } from '@aws-sdk/client-bedrock-runtime';
import { BackendError } from '../backend.ts';
import type { ModelReply, ModelRequest, ToolCall, Usage } from '../backend.ts';
import { estimateUsage } from '../estimate.ts';
import { readTextToolCall } from '../text-tool-call.ts';
import { readArguments } from '../tool-arguments.ts';
import { sentNames } from './bedrock-names.ts';

/** A tool call in the making: its arguments arrive in pieces that are no JSON by themselves. */
interface Draft {
  block: number | undefined;
  id: string;
  name: string;
  argumentsText: string;
}

/** A reply in the making. */
export interface ReplyDraft {
  content: string;
  drafts: Draft[];
  stopReason: string | undefined;
  usage: TokenUsage | undefined;
  /** The tool by which a schema was asked for, if one was: its arguments are the reply's text. */
  schemaTool: string | undefined;
}

export function emptyDraft(schemaTool?: string): ReplyDraft {
  return { content: '', drafts: [], stopReason: undefined, usage: undefined, schemaTool };
}

/** Takes one event into the draft and returns the text it brought. What a model thinks aloud is left out. */
export function takeEvent(draft: ReplyDraft, event: ConverseStreamOutput): string {
  if (event.contentBlockStart?.start?.toolUse) {
    const { toolUseId, name } = event.contentBlockStart.start.toolUse;
    const block = event.contentBlockStart.contentBlockIndex;
    draft.drafts.push({ block, id: toolUseId ?? '', name: name ?? '', argumentsText: '' });
  }
  if (event.messageStop) draft.stopReason = event.messageStop.stopReason ?? 'end_turn';
  if (event.metadata?.usage) draft.usage = event.metadata.usage;
  const delta = event.contentBlockDelta?.delta;
  if (delta?.text !== undefined) {
    draft.content += delta.text;
    return delta.text;
  }
  if (delta?.toolUse) {
    const piece = delta.toolUse.input ?? '';
    const call = draft.drafts.findLast((one) => one.block === event.contentBlockDelta!.contentBlockIndex);
    if (call) call.argumentsText += piece;
    if (call && call.name === draft.schemaTool) return piece;
  }
  return '';
}

/**
 * The reply, once the stream has ended. Throws a BackendError: retryable where the stream ended before the reply did
 * or the model wrote what its server could not read, permanent where a filter or the end of the context stopped it.
 */
export function finishReply(
  draft: ReplyDraft,
  request: ModelRequest,
  requestId: string | undefined,
): ModelReply {
  refuseUnfinished(draft, request.model);
  const asSchema = draft.drafts.find((one) => one.name === draft.schemaTool);
  const { content, drafts } = asSchema
    ? { content: asSchema.argumentsText, drafts: draft.drafts.filter((one) => one.name !== draft.schemaTool) }
    : withTextCall(draft, request);
  const toolCalls = nameCalls(drafts, request);
  const usage = draft.usage ? counted(draft.usage) : estimateUsage(request, content, toolCalls);
  const finish = draft.stopReason === 'max_tokens' ? 'length' : toolCalls.length > 0 ? 'tool_calls' : 'stop';
  return { content, toolCalls, finish, usage, ...(requestId !== undefined && { requestId }) };
}

function refuseUnfinished(draft: ReplyDraft, model: string): void {
  switch (draft.stopReason) {
    case undefined:
      throw new BackendError('retryable', 'the stream ended before the reply was finished');
    case 'content_filtered':
      throw new BackendError('permanent', "the provider's content filter stopped the reply");
    case 'guardrail_intervened':
      throw new BackendError('permanent', 'a guardrail of the AWS account stopped the reply', {
        mend: 'see which one in the console of Bedrock, under Guardrails',
      });
    case 'model_context_window_exceeded':
      throw new BackendError(
        'permanent',
        `the request and its reply are larger than the context of ${model}: the reply was cut off there`,
        { mend: "set the model's contextTokens to what it really has" },
      );
    case 'malformed_model_output':
    case 'malformed_tool_use':
      throw new BackendError(
        'retryable',
        `${model} wrote what Bedrock could not read (${draft.stopReason.replaceAll('_', ' ')})`,
      );
  }
}

/** Tokens that were read from a cache or written to it are not among `inputTokens`, but were read all the same. */
function counted(usage: TokenUsage): Usage {
  const { inputTokens = 0, cacheReadInputTokens = 0, cacheWriteInputTokens = 0, outputTokens = 0 } = usage;
  return {
    inputTokens: inputTokens + cacheReadInputTokens + cacheWriteInputTokens,
    outputTokens,
    estimated: false,
  };
}

/** Takes a call that the model wrote as its text for what it was meant to be. */
function withTextCall(draft: ReplyDraft, request: ModelRequest): Pick<ReplyDraft, 'content' | 'drafts'> {
  if (draft.drafts.length > 0 || draft.stopReason === 'max_tokens') return draft;
  const known = request.tools.flatMap((tool) => tool.name);
  const written = readTextToolCall(draft.content, [...known, ...sentNames(request).keys()]);
  if (!written) return draft;
  const argumentsText = JSON.stringify(written.arguments);
  return { content: '', drafts: [{ block: 0, id: '', name: written.name, argumentsText }] };
}

/** Gives every call the name that the caller knows, and an id that nothing else in the conversation has. */
function nameCalls(drafts: Draft[], request: ModelRequest): ToolCall[] {
  const names = sentNames(request);
  const earlier = request.messages.flatMap((message) =>
    message.role === 'assistant' ? message.toolCalls : [],
  );
  const taken = new Set(earlier.map((call) => call.id));
  let number = earlier.length;
  return drafts.map((draft) => {
    let id = draft.id;
    while (id === '' || taken.has(id)) id = `call_${number++}`;
    taken.add(id);
    return { id, name: names.get(draft.name) ?? draft.name, ...readArguments(draft.argumentsText) };
  });
}
