import type Anthropic from '@anthropic-ai/sdk';
import type { ModelMessage, ModelRequest } from '../backend.ts';
import { schemaInWords } from './anthropic-schema.ts';
import type { SchemaForm } from './anthropic-schema.ts';
import type { Names } from './anthropic-names.ts';

/** How varied a reply is. The API's version of October 2026 has neither, so the client's types have none. */
export const samplings = ['top_p', 'temperature'] as const;
export type Sampling = (typeof samplings)[number];
/** The parameters of one call. */
export type Params = Anthropic.MessageCreateParamsStreaming & { [Name in Sampling]?: number };
type Turn = { role: 'user' | 'assistant'; content: Anthropic.ContentBlockParam[] };

const ephemeral = { cache_control: { type: 'ephemeral' } } as const;

/**
 * A request as the Messages API wants it: the system prompt apart, one turn a role in alternation, results of tools in
 * the user's turn and before its words.
 *
 * What every call of a role begins with (tools and system prompt) is marked for the provider's cache; so is the end of
 * a conversation that can call tools, because its next turn begins with all of this one. A mark costs a quarter more
 * for what is written to the cache, and a tenth for what is read from it.
 */
export function toParams(
  request: ModelRequest,
  names: Names,
  {
    form,
    refused,
    mayThink,
  }: {
    form: { way: SchemaForm; schema: object } | undefined;
    refused: ReadonlySet<Sampling>;
    mayThink: boolean;
  },
): Params {
  const { model, maxTokens, temperature, topP } = request;
  const system = systemOf(request, form?.way === 'in-prompt');
  const turns = turnsOf(request.messages, names);
  const tools = toolsOf(request, names);
  if (request.tools.length > 0) markLast(turns.at(-1)?.content);
  return {
    model,
    max_tokens: maxTokens,
    stream: true,
    messages: turns,
    ...(system.length > 0 && { system: markLast(system) }),
    ...(tools.length > 0 && { tools: system.length > 0 ? tools : markLast(tools) }),
    ...(tools.length > 0 && request.tools.length === 0 && { tool_choice: { type: 'none' } }),
    ...(form &&
      form.way !== 'in-prompt' && {
        output_config: { format: { type: 'json_schema', schema: form.schema as Record<string, unknown> } },
      }),
    ...(!mayThink && { thinking: { type: 'disabled' } }),
    // The API's scale ends at 1.
    ...(temperature !== undefined &&
      !refused.has('temperature') && { temperature: Math.min(1, temperature) }),
    ...(topP !== undefined && !refused.has('top_p') && { top_p: topP }),
  };
}

/** Which of them a refusal complains about. Some models take one of the two, and name both: the temperature stays. */
export function refusedSamplings(words: string, params: Params): Sampling[] {
  const sent = samplings.filter((name) => params[name] !== undefined);
  if (/anthropic-version/i.test(words)) return sent;
  return sent.filter((name) => words.toLowerCase().includes(name)).slice(0, 1);
}

function systemOf({ messages, schema }: ModelRequest, isInWords: boolean): Anthropic.TextBlockParam[] {
  const texts = messages.flatMap((message) => (message.role === 'system' ? [message.content] : []));
  if (schema && isInWords) texts.push(schemaInWords(schema.schema));
  return texts.filter((text) => text.trim() !== '').map((text) => ({ type: 'text', text }));
}

/** Calls of earlier turns are an error to the API where their tools are not described. */
function toolsOf({ tools, messages }: ModelRequest, names: Names): Anthropic.Tool[] {
  if (tools.length > 0)
    return tools.map((tool) => ({
      name: names.sent(tool.name),
      description: tool.description,
      input_schema: { ...tool.arguments, type: 'object' },
    }));
  const called = messages.flatMap((message) =>
    message.role === 'assistant' ? message.toolCalls.map((call) => call.name) : [],
  );
  return [...new Set(called)].map((name) => ({
    name: names.sent(name),
    description: 'Not to be called any more',
    input_schema: { type: 'object' },
  }));
}

function turnsOf(messages: ModelMessage[], names: Names): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    if (message.role === 'system') continue;
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    const blocks = blocksOf(message, names);
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else if (blocks.length > 0) turns.push({ role, content: blocks });
  }
  const isResult = (block: Anthropic.ContentBlockParam) => block.type === 'tool_result';
  return turns.map(({ role, content }) => ({
    role,
    content: [...content.filter(isResult), ...content.filter((block) => !isResult(block))],
  }));
}

function blocksOf(message: ModelMessage, names: Names): Anthropic.ContentBlockParam[] {
  if (message.role === 'tool')
    return [
      {
        type: 'tool_result',
        tool_use_id: names.id(message.toolCallId),
        ...(message.content !== '' && { content: message.content }),
        ...(message.status !== 'ok' && { is_error: true }),
      },
    ];
  // A text of nothing is an error to the API.
  const text: Anthropic.ContentBlockParam[] =
    message.content.trim() === '' ? [] : [{ type: 'text', text: message.content }];
  if (message.role !== 'assistant') return text;
  const calls = message.toolCalls.map((call) => ({
    type: 'tool_use' as const,
    id: names.id(call.id),
    name: names.sent(call.name),
    // The tool's answer has told the model what it wrote where that was no JSON.
    input: call.arguments ?? {},
  }));
  return [...text, ...calls];
}

/** Marks the end of what the provider is to keep in its cache. */
function markLast<Block extends object>(blocks: Block[]): Block[];
function markLast<Block extends object>(blocks: Block[] | undefined): Block[] | undefined;
function markLast<Block extends object>(blocks: Block[] | undefined): Block[] | undefined {
  const last = blocks?.at(-1);
  if (last) Object.assign(last, ephemeral);
  return blocks;
}
