import type { ErrorObject } from 'ajv';
import type { ModelReply, ModelRequest } from './backend.ts';
import { validatorOf } from './validators.ts';

/** A reply read by the schema it was asked to keep: the JSON alone, or everything that is wrong with it. */
export type SchemaReading = { content: string } | { problems: string[] };

/** A model that fails as often will not learn it from one more telling. */
export const mostSchemaTries = 3;
const mostProblems = 10;
const mostQuoted = 2000;

/**
 * Makes the check of a request's schema. Replies that call tools are not held to it: the text comes later. Throws an
 * Error where the schema itself is none.
 */
export function schemaCheck(
  request: Pick<ModelRequest, 'schema' | 'tools'>,
): (reply: ModelReply) => SchemaReading {
  if (!request.schema) return ({ content }) => ({ content });
  // A dialect that is named must be known to the validator; what is used of it is the same in all of them.
  const { $schema: _, $id: _id, ...schema } = request.schema.schema;
  const validate = validatorOf(schema);
  return (reply) => {
    if (reply.toolCalls.length > 0 && request.tools.length > 0) return { content: reply.content };
    const text = withoutFence(reply.content);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      const cut = reply.finish === 'length' ? 'it was cut off at its length limit, and ' : '';
      return {
        problems: [`${cut}it is not JSON: ${error instanceof Error ? error.message : String(error)}`],
      };
    }
    if (validate(value)) return { content: text };
    return { problems: (validate.errors ?? []).slice(0, mostProblems).map(inWords) };
  };
}

/** The request with the reply that broke its schema, and what was wrong with it. */
export function askedAgain(request: ModelRequest, reply: ModelReply, problems: string[]): ModelRequest {
  const correction =
    `Your reply does not keep the JSON Schema "${request.schema!.name}": ${problems.join('; ')}. ` +
    'Reply with the corrected JSON and nothing else.';
  return {
    ...request,
    messages: [
      ...request.messages,
      { role: 'assistant', content: reply.content.slice(0, mostQuoted), toolCalls: [] },
      { role: 'user', content: correction },
    ],
  };
}

/** Many models put JSON into a fence, whatever they are told; what is meant is clear. */
function withoutFence(content: string): string {
  const text = content.trim();
  return /^```(?:json)?\s*\n([\s\S]*?)\n?```$/i.exec(text)?.[1]?.trim() ?? text;
}

function inWords(error: ErrorObject): string {
  const where = error.instancePath === '' ? 'the whole' : error.instancePath.slice(1).replaceAll('/', '.');
  const property = error.params['additionalProperty'] as string | undefined;
  if (property !== undefined) return `${where}: unknown property "${property}"`;
  const allowed = error.params['allowedValues'] as unknown[] | undefined;
  if (allowed) return `${where}: must be one of ${allowed.map((one) => JSON.stringify(one)).join(', ')}`;
  return `${where}: ${error.message}`;
}
