import { APIError } from 'openai';
import type OpenAI from 'openai';
import type { ReplyDraft } from './openai-stream.ts';

type Event = OpenAI.Responses.ResponseStreamEvent;

/**
 * Takes one event of the responses API into the draft and returns the text it brought. Throws the client's own APIError
 * where the response failed.
 */
export function takeEvent(draft: ReplyDraft, event: Event): string {
  switch (event.type) {
    case 'response.output_text.delta':
    // The model says no in words of another kind.
    case 'response.refusal.delta':
      draft.content += event.delta;
      return event.delta;
    case 'response.output_item.added':
    case 'response.output_item.done':
      takeItem(draft, event.output_index, event.item);
      return '';
    case 'response.function_call_arguments.delta': {
      const call = draft.drafts.find((one) => one.index === event.output_index);
      if (call) call.argumentsText += event.delta;
      return '';
    }
    case 'response.completed':
    case 'response.incomplete':
      finish(draft, event.response);
      return '';
    case 'response.failed':
      throw failed(event.response.error ?? { message: 'the response failed without a reason' });
    case 'error':
      throw failed(event);
    default:
      // Of reasoning, and of the provider's own tools, nothing is wanted here.
      return '';
  }
}

function takeItem(draft: ReplyDraft, index: number, item: OpenAI.Responses.ResponseOutputItem): void {
  if (item.type !== 'function_call') return;
  let call = draft.drafts.find((one) => one.index === index);
  if (!call) {
    call = { index, id: item.call_id || undefined, name: item.name, argumentsText: '' };
    draft.drafts.push(call);
  }
  // At the end the item holds its arguments whole, also with servers that do not send them in pieces.
  if (item.arguments) call.argumentsText = item.arguments;
}

function finish(draft: ReplyDraft, response: OpenAI.Responses.Response): void {
  const reason = response.incomplete_details?.reason;
  draft.finish = reason === undefined ? 'stop' : reason === 'content_filter' ? 'content_filter' : 'length';
  const { usage } = response;
  if (usage) draft.usage = { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens };
}

function failed(error: { code?: string | null; message: string }): APIError {
  return new APIError(undefined, error, error.message, undefined);
}
