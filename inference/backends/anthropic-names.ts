import type { ModelRequest } from '../backend.ts';

/** What the API takes as the name of a tool, and as the id of a call; both ways for one request. */
export interface Names {
  /** A tool's name as the API takes it. */
  sent(name: string): string;
  /** The name that a reply means; one that nobody has stays as it is. */
  meant(name: string): string;
  /** A call's id as the API takes it: ids of earlier turns may come from another provider. */
  id(id: string): string;
}

const longestName = 64;

/** The names of one request: those that the API takes stay as they are, the others get one of their own. */
export function namesOf(request: ModelRequest): Names {
  const calls = request.messages.flatMap((message) =>
    message.role === 'assistant' ? message.toolCalls : [],
  );
  const results = request.messages.flatMap((message) =>
    message.role === 'tool' ? [message.toolCallId] : [],
  );
  const names = allowed(
    [...request.tools.map((tool) => tool.name), ...calls.map((call) => call.name)],
    longestName,
  );
  const ids = allowed([...calls.map((call) => call.id), ...results], 128);
  const back = new Map([...names].map(([name, sent]) => [sent, name]));
  return {
    sent: (name) => names.get(name) ?? name,
    meant: (name) => back.get(name) ?? name,
    id: (id) => ids.get(id) ?? id,
  };
}

/** Each text with letters, digits, - and _ only, no longer than `longest`, and no two alike. */
function allowed(texts: string[], longest: number): Map<string, string> {
  const isAllowed = (text: string) => text.length <= longest && /^[a-zA-Z0-9_-]+$/.test(text);
  const taken = new Set(texts.filter(isAllowed));
  const result = new Map<string, string>();
  for (const text of texts) {
    if (result.has(text)) continue;
    let name = isAllowed(text) ? text : text.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, longest) || '_';
    for (let number = 2; !isAllowed(text) && taken.has(name); number++)
      name = `${name.slice(0, longest - 5)}_${number}`;
    taken.add(name);
    result.set(text, name);
  }
  return result;
}
