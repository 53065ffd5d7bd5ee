import { isObject, parseObject } from './tool-arguments.ts';

/** The wrappings that local models put around a tool call they write as text. */
const wrappings = [
  /^```(?:json|tool_call)?\s*([\s\S]*?)\s*```$/,
  /^<tool_call>\s*([\s\S]*?)\s*<\/tool_call>$/,
];

/**
 * A tool call that a model wrote as its text instead of calling: `{"name": "read-file", "arguments": {...}}`
 * and nothing else, bare, fenced or in `<tool_call>` tags, perhaps after its `<think>` block. Only a known
 * tool counts, so that a reply which merely is JSON stays a reply. `parameters` is what Llama 3 writes.
 */
export function readTextToolCall(
  content: string,
  knownTools: readonly string[],
): { name: string; arguments: Record<string, unknown> } | undefined {
  let text = content.replace(/^\s*<think>[\s\S]*?<\/think>/, '').trim();
  for (const wrapping of wrappings) text = wrapping.exec(text)?.[1] ?? text;
  const call = parseObject(text);
  if (call === undefined) return undefined;
  const { name, arguments: given = call.parameters, parameters: _, ...rest } = call;
  if (typeof name !== 'string' || !knownTools.includes(name)) return undefined;
  if (Object.keys(rest).some((key) => key !== 'type' && key !== 'id')) return undefined;
  const parsed = typeof given === 'string' ? parseObject(given) : given;
  return isObject(parsed) ? { name, arguments: parsed } : undefined;
}
