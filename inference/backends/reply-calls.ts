import type { ModelRequest, ToolCall } from '../backend.ts';
import { readTextToolCall } from '../text-tool-call.ts';
import { readArguments } from '../tool-arguments.ts';

/** A tool call as it came over the wire, its pieces put together. */
export interface CallDraft {
  id: string | undefined;
  name: string;
  argumentsText: string;
}

/** What a whole reply says and calls; a call that the model wrote as its text is taken for what it was meant to be. */
export function contentAndCalls(
  content: string,
  drafts: CallDraft[],
  request: ModelRequest,
): { content: string; toolCalls: ToolCall[] } {
  const written =
    drafts.length > 0
      ? undefined
      : readTextToolCall(
          content,
          request.tools.map((tool) => tool.name),
        );
  if (!written) return { content, toolCalls: nameCalls(drafts, request) };
  const argumentsText = JSON.stringify(written.arguments);
  return {
    content: '',
    toolCalls: nameCalls([{ id: undefined, name: written.name, argumentsText }], request),
  };
}

/** Gives every call an id that nothing else in the conversation has: not every server does. */
function nameCalls(drafts: CallDraft[], request: ModelRequest): ToolCall[] {
  const earlier = request.messages.flatMap((message) =>
    message.role === 'assistant' ? message.toolCalls : [],
  );
  const taken = new Set(earlier.map((call) => call.id));
  let number = earlier.length;
  return drafts.map((draft) => {
    let { id } = draft;
    while (!id || taken.has(id)) id = `call_${number++}`;
    taken.add(id);
    return { id, name: draft.name, ...readArguments(draft.argumentsText) };
  });
}
