import { createHash } from 'node:crypto';
import type { ModelRequest } from '../backend.ts';

/** What Converse takes as the name of a tool or the id of a call. */
const fitting = /^[a-zA-Z0-9_-]{1,64}$/;

/** A name or id as Converse takes it: itself, or one made from it that no other name is likely to get. */
export function fit(name: string): string {
  if (fitting.test(name)) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 12);
  return `${name.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, 51)}_${digest}`;
}

/** From the names as they were sent back to the names as the caller knows them; the tools of earlier turns included. */
export function sentNames(request: ModelRequest): Map<string, string> {
  const earlier = request.messages.flatMap((message) =>
    message.role === 'assistant' ? message.toolCalls.map((call) => call.name) : [],
  );
  return new Map([...request.tools.map((tool) => tool.name), ...earlier].map((name) => [fit(name), name]));
}
