import type OpenAI from 'openai';
import type { ModelMessage, ModelRequest, ToolDescription } from '../backend.ts';
import { schemaWayOf } from './openai-learned.ts';
import type { Learned } from './openai-learned.ts';
import { messagesFor, schemaName } from './openai-schema.ts';

type StreamingParams = OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming;

/** A request as the chat-completions API wants it, without what this server refuses. */
export function toParams(request: ModelRequest, learned: Learned): StreamingParams {
  const { refused } = learned;
  const way = schemaWayOf(request, learned);
  const params: StreamingParams = {
    model: request.model,
    messages: messagesFor(request, way).map(toMessage),
    stream: true,
  };
  // An empty list is an error to some servers.
  if (request.tools.length > 0) params.tools = request.tools.map(toTool);
  if (!refused.has('max_tokens')) params.max_tokens = request.maxTokens;
  else if (!refused.has('max_completion_tokens')) params.max_completion_tokens = request.maxTokens;
  if (request.temperature !== undefined && !refused.has('temperature'))
    params.temperature = request.temperature;
  if (request.topP !== undefined && !refused.has('top_p')) params.top_p = request.topP;
  if (!refused.has('stream_options')) params.stream_options = { include_usage: true };
  if (request.schema && way !== 'in-prompt') {
    const { name, schema } = request.schema;
    params.response_format = {
      type: 'json_schema',
      json_schema: { name: schemaName(name), schema, strict: way === 'strict' },
    };
  }
  return params;
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
