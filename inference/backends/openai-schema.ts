import type { ModelMessage, ModelRequest } from '../backend.ts';

/**
 * How a reply is held to its schema: `strict`, the server allows nothing else; `loose`, it is told the schema without
 * the promise (OpenAI's strict mode takes a part of JSON Schema only; vLLM and llama-server enforce it either way);
 * `in-prompt`, the model is asked in words, for servers that know no schemas.
 */
export type SchemaWay = 'strict' | 'loose' | 'in-prompt';

type JsonSchema = Record<string, unknown>;

/** The strictest way that the schema itself allows. */
export function firstWay(schema: JsonSchema): SchemaWay {
  return isStrict(schema) ? 'strict' : 'loose';
}

/** What to try when a server refuses a way; undefined where there is nothing left. */
export function nextWay(way: SchemaWay): SchemaWay | undefined {
  return way === 'strict' ? 'loose' : way === 'loose' ? 'in-prompt' : undefined;
}

/** Strict mode wants every property required and no others allowed, at every depth. */
function isStrict(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isStrict);
  if (typeof schema !== 'object' || schema === null) return true;
  const { properties, required, additionalProperties } = schema as JsonSchema;
  if (typeof properties === 'object' && properties !== null) {
    const names = Object.keys(properties);
    if (additionalProperties !== false || !Array.isArray(required)) return false;
    if (!names.every((name) => required.includes(name))) return false;
    return Object.values(properties).every(isStrict) && Object.entries(schema).every(isStrictBeside);
  }
  return (schema as JsonSchema)['type'] !== 'object' && Object.values(schema).every(isStrict);
}

const isStrictBeside = ([name, value]: [string, unknown]) => name === 'properties' || isStrict(value);

/** The name that the APIs want for a schema: 64 letters, digits, - and _. */
export function schemaName(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, 64) || 'reply';
}

/** The messages of a request, with the schema in words where it is asked for so. */
export function messagesFor(request: ModelRequest, way: SchemaWay | undefined): ModelMessage[] {
  if (way !== 'in-prompt' || !request.schema) return request.messages;
  const words =
    'Answer with one JSON value that keeps this JSON Schema, and nothing before or after it:\n' +
    JSON.stringify(request.schema.schema);
  const [first, ...rest] = request.messages;
  // Many chat templates know one system message, and only at the beginning.
  if (first?.role === 'system') return [{ ...first, content: `${first.content}\n\n${words}` }, ...rest];
  return [{ role: 'system', content: words }, ...request.messages];
}

/** A model that was asked in words likes to fence its JSON, or to think aloud before it. */
export function bareJson(content: string): string {
  const text = content.replace(/^\s*<think>[\s\S]*?<\/think>/, '').trim();
  return /^```(?:json)?\s*([\s\S]*?)\s*```$/.exec(text)?.[1] ?? text;
}
