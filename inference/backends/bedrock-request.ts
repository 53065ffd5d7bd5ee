import type {
  ContentBlock,
  ConverseStreamCommandInput,
  Message,
  Tool,
  ToolResultBlock,
} from '@aws-sdk/client-bedrock-runtime';
import type { ModelMessage, ModelRequest } from '../backend.ts';
import { fit, sentNames } from './bedrock-names.ts';

/** What some models refuse; found out by asking, which costs no tokens, then remembered by the backend. */
export type Refused = 'output-config' | 'result-status' | 'temperature' | 'topP';

type Json = NonNullable<NonNullable<ToolResultBlock['content']>[number]['json']>;

/** A request as Converse wants it, without what this model refuses. */
export function toInput(request: ModelRequest, refused: ReadonlySet<Refused>): ConverseStreamCommandInput {
  const { schema, temperature, topP } = request;
  const system = request.messages.flatMap((message) =>
    message.role === 'system' && message.content.trim() !== '' ? [{ text: message.content }] : [],
  );
  const tools = toolsOf(request);
  const input: ConverseStreamCommandInput = {
    modelId: request.model,
    messages: messagesOf(request.messages, refused),
    inferenceConfig: {
      maxTokens: request.maxTokens,
      ...(temperature !== undefined && !refused.has('temperature') && { temperature }),
      ...(topP !== undefined && !refused.has('topP') && { topP }),
    },
  };
  if (system.length > 0) input.system = system;
  if (schema !== undefined && refused.has('output-config')) {
    const name = schemaTool(request)!;
    const description = 'Takes the whole reply. Call it once, when the reply is ready.';
    tools.push({ toolSpec: { name, description, inputSchema: { json: schema.schema as Json } } });
    // Other tools may still be called first; without any, this one must be.
    const toolChoice = request.tools.length > 0 ? { any: {} } : { tool: { name } };
    return { ...input, toolConfig: { tools, toolChoice } };
  }
  if (schema !== undefined) {
    const jsonSchema = { schema: JSON.stringify(schema.schema), name: fit(schema.name) };
    input.outputConfig = { textFormat: { type: 'json_schema', structure: { jsonSchema } } };
  }
  if (tools.length > 0) input.toolConfig = { tools };
  return input;
}

/** The tool by which a model that knows no schemas is asked for one; bears a name that no other tool of the request has. */
export function schemaTool(request: ModelRequest): string | undefined {
  if (request.schema === undefined) return undefined;
  const taken = sentNames(request);
  let name = fit(`reply_${request.schema.name}`);
  while (taken.has(name)) name = fit(`${name}_`);
  return name;
}

/** What a refusal complains about, if it is something that was sent and can be done without. */
export function refusedPart(words: string, sent: ConverseStreamCommandInput): Refused | undefined {
  if (sent.outputConfig && /output_?config|structured|json.?schema|text_?format|\bschema/i.test(words))
    return 'output-config';
  const hasStatus = sent.messages?.some((message) =>
    message.content?.some((block) => block.toolResult?.status !== undefined),
  );
  if (hasStatus && /\bstatus\b/i.test(words) && /support|permitted|extraneous/i.test(words))
    return 'result-status';
  if (!/deprecated|not support|n't support|unsupported|not permitted|cannot both/i.test(words))
    return undefined;
  // Some models take one of the two, and name both: the temperature stays.
  if (sent.inferenceConfig?.topP !== undefined && /top_?p\b/i.test(words)) return 'topP';
  if (sent.inferenceConfig?.temperature !== undefined && /temperature/i.test(words)) return 'temperature';
  return undefined;
}

function toolsOf(request: ModelRequest): Tool[] {
  const tools = request.tools.map((tool): Tool => ({
    toolSpec: {
      name: fit(tool.name),
      // Empty texts are refused.
      description: tool.description.trim() === '' ? tool.name : tool.description,
      inputSchema: { json: tool.arguments as Json },
    },
  }));
  if (tools.length > 0) return tools;
  // A conversation in which tools were called is refused where no tool is described.
  return [...sentNames(request)].map(([name]) => ({
    toolSpec: {
      name,
      description: 'Was used earlier in this conversation and is not there any more.',
      inputSchema: { json: { type: 'object' } },
    },
  }));
}

/** Converse wants user and assistant in turn, and all results of a turn's calls in one message. */
function messagesOf(messages: ModelMessage[], refused: ReadonlySet<Refused>): Message[] {
  const result: Message[] = [];
  for (const message of messages) {
    if (message.role === 'system') continue;
    const content = blocksOf(message, refused);
    if (content.length === 0) continue;
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    const last = result.at(-1);
    if (last?.role === role) last.content!.push(...content);
    else result.push({ role, content });
  }
  return result;
}

function blocksOf(message: ModelMessage, refused: ReadonlySet<Refused>): ContentBlock[] {
  if (message.role === 'tool') {
    const toolResult: ToolResultBlock = {
      toolUseId: fit(message.toolCallId),
      content: [{ text: message.content }],
    };
    if (!refused.has('result-status')) toolResult.status = message.status === 'ok' ? 'success' : 'error';
    return [{ toolResult }];
  }
  // Blank texts are refused.
  const text: ContentBlock[] = message.content.trim() === '' ? [] : [{ text: message.content }];
  if (message.role !== 'assistant') return text;
  return [
    ...text,
    ...message.toolCalls.map((call): ContentBlock => ({
      // Arguments that were no JSON cannot be sent; the tool's answer has told the model what it wrote.
      toolUse: { toolUseId: fit(call.id), name: fit(call.name), input: (call.arguments ?? {}) as Json },
    })),
  ];
}
