import { APIError } from 'openai';
import type OpenAI from 'openai';
import type { ReplyDraft } from './openai-stream.ts';

type Event = OpenAI.Responses.ResponseStreamEvent;
type Taker<Type extends Event['type']> = (draft: ReplyDraft, event: Extract<Event, { type: Type }>) => string;

/** Of reasoning, and of the provider's own tools, nothing is wanted here. */
const takers: { [Type in Event['type']]?: Taker<Type> } = {
  'response.output_text.delta': takeWords,
  // The model says no in words of another kind.
  'response.refusal.delta': takeWords,
  'response.output_item.added': takeItem,
  'response.output_item.done': takeItem,
  'response.function_call_arguments.delta': (draft, event) => {
    const call = draft.drafts.find((one) => one.index === event.output_index);
    if (call) call.argumentsText += event.delta;
    return '';
  },
  'response.completed': finish,
  'response.incomplete': finish,
  'response.failed': (_, { response }) => {
    throw failed(response.error ?? { message: 'the response failed without a reason' });
  },
  error: (_, event) => {
    throw failed(event);
  },
};

/**
 * Takes one event of the responses API into the draft and returns the text it brought. Throws the client's own APIError
 * where the response failed.
 */
export function takeEvent(draft: ReplyDraft, event: Event): string {
  const take = takers[event.type] as Taker<Event['type']> | undefined;
  return take?.(draft, event) ?? '';
}

function takeWords(draft: ReplyDraft, { delta }: { delta: string }): string {
  draft.content += delta;
  return delta;
}

function takeItem(
  draft: ReplyDraft,
  { output_index: index, item }: { output_index: number; item: OpenAI.Responses.ResponseOutputItem },
): string {
  if (item.type !== 'function_call') return '';
  let call = draft.drafts.find((one) => one.index === index);
  if (!call) {
    call = { index, id: item.call_id || undefined, name: item.name, argumentsText: '' };
    draft.drafts.push(call);
  }
  // At the end the item holds its arguments whole, also with servers that do not send them in pieces.
  if (item.arguments) call.argumentsText = item.arguments;
  return '';
}

function finish(draft: ReplyDraft, { response }: { response: OpenAI.Responses.Response }): string {
  const reason = response.incomplete_details?.reason;
  draft.finish = reason === undefined ? 'stop' : reason === 'content_filter' ? 'content_filter' : 'length';
  const { usage } = response;
  if (usage) draft.usage = { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens };
  return '';
}

function failed(error: { code?: string | null; message: string }): APIError {
  return new APIError(undefined, error, error.message, undefined);
}
