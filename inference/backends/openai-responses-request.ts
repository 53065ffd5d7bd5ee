import type OpenAI from 'openai';
import type { ModelMessage, ModelRequest } from '../backend.ts';
import { schemaWayOf } from './openai-learned.ts';
import type { Learned } from './openai-learned.ts';
import { messagesFor, schemaName } from './openai-schema.ts';

type StreamingParams = OpenAI.Responses.ResponseCreateParamsStreaming;

/** The API refuses a smaller bound. */
const leastOutputTokens = 16;

/** A request as the responses API wants it, without what this server refuses; the server is to keep nothing of it. */
export function toResponsesParams(request: ModelRequest, learned: Learned): StreamingParams {
  const way = schemaWayOf(request, learned);
  const params: StreamingParams = {
    model: request.model,
    input: messagesFor(request, way).flatMap(toItems),
    stream: true,
    store: false,
    max_output_tokens: Math.max(leastOutputTokens, request.maxTokens),
  };
  if (request.tools.length > 0) {
    params.tools = request.tools.map((tool) => ({
      type: 'function',
      name: tool.name,
      description: tool.description,
      parameters: tool.arguments,
      // Left out, this API makes every tool strict, and refuses those whose arguments are optional.
      strict: false,
    }));
  }
  if (request.temperature !== undefined && !learned.refused.has('temperature'))
    params.temperature = request.temperature;
  if (request.topP !== undefined && !learned.refused.has('top_p')) params.top_p = request.topP;
  if (request.schema && way !== 'in-prompt') {
    const { name, schema } = request.schema;
    params.text = {
      format: { type: 'json_schema', name: schemaName(name), schema, strict: way === 'strict' },
    };
  }
  return params;
}

/** A turn of the model is several items here: its words, and each of its calls. */
function toItems(message: ModelMessage): OpenAI.Responses.ResponseInputItem[] {
  switch (message.role) {
    case 'system':
    case 'user':
      return [{ role: message.role, content: message.content }];
    case 'tool':
      return [{ type: 'function_call_output', call_id: message.toolCallId, output: message.content }];
    case 'assistant':
      return [
        ...(message.content === '' ? [] : [{ role: 'assistant' as const, content: message.content }]),
        ...message.toolCalls.map((call) => ({
          type: 'function_call' as const,
          call_id: call.id,
          name: call.name,
          arguments: JSON.stringify(call.arguments ?? {}),
        })),
      ];
  }
}
