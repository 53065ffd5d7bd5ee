import type OpenAI from 'openai';
import type { ModelMessage, ModelRequest, ToolDescription } from '../backend.ts';

/** What some servers refuse, or know by another name; found out by asking, then remembered by the backend. */
export type RefusedParameter = 'max_tokens' | 'max_completion_tokens' | 'temperature' | 'stream_options';

const adjustable: RefusedParameter[] = [
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'stream_options',
];

type StreamingParams = OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming;

/** A request as the chat-completions API wants it, without the parameters that this server refuses. */
export function toParams(request: ModelRequest, refused: ReadonlySet<RefusedParameter>): StreamingParams {
  const params: StreamingParams = {
    model: request.model,
    messages: request.messages.map(toMessage),
    stream: true,
  };
  // An empty list is an error to some servers.
  if (request.tools.length > 0) params.tools = request.tools.map(toTool);
  if (!refused.has('max_tokens')) params.max_tokens = request.maxTokens;
  else if (!refused.has('max_completion_tokens')) params.max_completion_tokens = request.maxTokens;
  if (request.temperature !== undefined && !refused.has('temperature'))
    params.temperature = request.temperature;
  if (!refused.has('stream_options')) params.stream_options = { include_usage: true };
  return params;
}

/** The parameter that a 400 or 422 complains about, if it is one that we can do without. */
export function refusedParameter(
  error: { status?: number | undefined; param?: string | null | undefined; message: string },
  sent: StreamingParams,
): RefusedParameter | undefined {
  if (error.status !== 400 && error.status !== 422) return undefined;
  const candidates = adjustable.filter((name) => sent[name] !== undefined);
  const named = candidates.find((name) => name === error.param);
  if (named) return named;
  const isAboutParameter = /unsupported|not supported|not permitted|unrecognized|unknown|unexpected|extra/i;
  if (!isAboutParameter.test(error.message)) return undefined;
  return candidates.find((name) => new RegExp(`\\b${name}\\b`).test(error.message));
}

function toMessage(message: ModelMessage): OpenAI.Chat.Completions.ChatCompletionMessageParam {
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, content: message.content };
    case 'tool':
      return { role: 'tool', tool_call_id: message.toolCallId, content: message.content };
    case 'assistant': {
      if (message.toolCalls.length === 0) return { role: 'assistant', content: message.content };
      return {
        role: 'assistant',
        content: message.content === '' ? null : message.content,
        tool_calls: message.toolCalls.map((call) => ({
          id: call.id,
          type: 'function',
          // Broken JSON in the history makes whole requests fail on servers that parse it again; the tool's
          // answer has told the model what it wrote.
          function: { name: call.name, arguments: JSON.stringify(call.arguments ?? {}) },
        })),
      };
    }
  }
}

function toTool(tool: ToolDescription): OpenAI.Chat.Completions.ChatCompletionFunctionTool {
  return {
    type: 'function',
    function: { name: tool.name, description: tool.description, parameters: tool.arguments },
  };
}
