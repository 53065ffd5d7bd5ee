import type { ToolCall } from './backend.ts';

/**
 * Reads the arguments that a model wrote for a tool. No text at all is no arguments; what is not a JSON
 * object is kept word for word in `invalidArguments`, so that the model can be shown what it wrote.
 */
export function readArguments(text: string): Pick<ToolCall, 'arguments' | 'invalidArguments'> {
  if (text.trim() === '') return { arguments: {} };
  const value = parseObject(text);
  return value === undefined ? { arguments: null, invalidArguments: text } : { arguments: value };
}

/** The JSON object that `text` is, or undefined. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
