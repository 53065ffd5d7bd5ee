import type { ModelMessage, ModelRequest } from '../backend.ts';

/** What `POST /api/chat` takes, the parts that we send. */
export interface OllamaChat {
  model: string;
  messages: OllamaMessage[];
  stream: true;
  /** A prompt that does not fit is refused instead of shortened; servers before 0.12.6 do not know it. */
  truncate: false;
  /** A reply that reaches the end of the context ends there, instead of pushing its beginning out. */
  shift: false;
  keep_alive: string | number;
  tools?: object[];
  format?: Record<string, unknown>;
  options: { num_ctx: number; num_predict: number; temperature?: number; top_p?: number };
}

interface OllamaMessage {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string;
  tool_calls?: {
    id: string;
    function: { index: number; name: string; arguments: Record<string, unknown> };
  }[];
  tool_name?: string;
  tool_call_id?: string;
}

/**
 * How long Ollama keeps the model in memory after a call. Its own five minutes are shorter than what a run may wait
 * for its tests, and loading costs more than the wait. OLLAMA_KEEP_ALIVE means here what it means to Ollama.
 */
export function keepAlive(variable: string | undefined): string | number {
  const given = variable?.trim();
  if (!given) return '30m';
  return Number.isFinite(Number(given)) ? Number(given) : given;
}

/** A request as `/api/chat` wants it. */
export function toChat(request: ModelRequest, contextTokens: number, keep: string | number): OllamaChat {
  const { model, maxTokens, temperature, topP, tools, schema } = request;
  return {
    model,
    messages: toMessages(request.messages),
    stream: true,
    truncate: false,
    shift: false,
    keep_alive: keep,
    ...(tools.length > 0 && {
      tools: tools.map((tool) => ({
        type: 'function',
        function: { name: tool.name, description: tool.description, parameters: tool.arguments },
      })),
    }),
    ...(schema && { format: schema.schema }),
    options: {
      num_ctx: contextTokens,
      num_predict: maxTokens,
      ...(temperature !== undefined && { temperature }),
      ...(topP !== undefined && { top_p: topP }),
    },
  };
}

function toMessages(messages: ModelMessage[]): OllamaMessage[] {
  const toolNames = new Map<string, string>();
  return messages.map((message) => {
    switch (message.role) {
      case 'system':
      case 'user':
        return { role: message.role, content: message.content };
      case 'assistant': {
        for (const call of message.toolCalls) toolNames.set(call.id, call.name);
        if (message.toolCalls.length === 0) return { role: 'assistant', content: message.content };
        return {
          role: 'assistant',
          content: message.content,
          // Ollama takes arguments as an object only; the tool's answer has told the model what it wrote.
          tool_calls: message.toolCalls.map((call, index) => ({
            id: call.id,
            function: { index, name: call.name, arguments: call.arguments ?? {} },
          })),
        };
      }
      case 'tool': {
        const name = toolNames.get(message.toolCallId);
        return {
          role: 'tool',
          content: message.content,
          tool_call_id: message.toolCallId,
          // Templates of older models know a result by the tool's name alone.
          ...(name !== undefined && { tool_name: name }),
        };
      }
    }
  });
}
