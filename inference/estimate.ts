import type { ModelMessage, ModelRequest, ToolCall, Usage } from './backend.ts';

/** A rule of thumb that holds within a third for English and code, for every tokenizer in use. */
const charactersPerToken = 4;

/** Tokens of a text, by its length. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / charactersPerToken);
}

/** Usage of a call whose provider did not count it: always `estimated`. */
export function estimateUsage(request: ModelRequest, content: string, toolCalls: ToolCall[]): Usage {
  const prompt = request.messages.map(textOf).join('') + JSON.stringify(request.tools);
  return {
    inputTokens: estimateTokens(prompt),
    outputTokens: estimateTokens(content + textOfCalls(toolCalls)),
    estimated: true,
  };
}

function textOf(message: ModelMessage): string {
  return message.role === 'assistant' ? message.content + textOfCalls(message.toolCalls) : message.content;
}

function textOfCalls(toolCalls: ToolCall[]): string {
  return toolCalls.map((call) => call.name + argumentsText(call)).join('');
}

/** The arguments of a call as JSON, or as the model wrote them where they were no JSON. */
export function argumentsText(call: ToolCall): string {
  return call.arguments === null ? (call.invalidArguments ?? '') : JSON.stringify(call.arguments);
}
