import type { ToolDescription } from '../inference/backend.ts';
import { isObject } from '../inference/tool-arguments.ts';
import { jsonRules, quoted, space, type Rules } from './grammar.ts';

/** How a model writes a call; most that can call tools were taught this form, and the others are told. */
export const openMark = '<tool_call>';
export const closeMark = '</tool_call>';
/** No reply calls more tools than this. */
export const mostCalls = 16;

/** The rule of what follows an opening mark: the call itself, and more calls up to the bound. */
export function callRules(tools: readonly ToolDescription[], rules: Rules): string {
  const calls = tools.map((tool) => {
    const given = jsonRules(tool.arguments, rules);
    return `"{\\"name\\":" ${space} ${quoted(`${JSON.stringify(tool.name)},`)} ${space} "\\"arguments\\":" ${space} ${given} "}"`;
  });
  rules.set('call', calls.join(' | '));
  const line = '"\\n"?';
  const whole = `${line} call ${line} ${quoted(closeMark)}`;
  return `${whole} (${line} ${quoted(openMark)} ${whole}){0,${mostCalls - 1}}`;
}

export interface WrittenCall {
  name: string;
  arguments: Record<string, unknown>;
}

/**
 * Takes the calls out of what a model wrote. `content` is what stands before the first; a call that is not whole is
 * left out and `isCut` says so; `problem` says what is none.
 */
export function readCalls(text: string): {
  content: string;
  calls: WrittenCall[];
  isCut: boolean;
  problem?: string;
} {
  const first = text.indexOf(openMark);
  if (first < 0) return { content: text, calls: [], isCut: false };
  const content = text.slice(0, first).trimEnd();
  const calls: WrittenCall[] = [];
  let at = first;
  while (at >= 0 && calls.length < mostCalls) {
    const start = text.indexOf('{', at + openMark.length);
    const end = start < 0 ? undefined : endOfObject(text, start);
    if (end === undefined) return { content, calls, isCut: true };
    const call = callOf(text.slice(start, end));
    if (typeof call === 'string') return { content, calls, isCut: false, problem: call };
    calls.push(call);
    at = text.indexOf(openMark, end);
  }
  return { content, calls, isCut: false };
}

function callOf(text: string): WrittenCall | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `a tool call is no JSON: ${(error as Error).message}`;
  }
  const { name, arguments: given } = value as { name?: unknown; arguments?: unknown };
  if (typeof name !== 'string') return 'a tool call has no name';
  if (given !== undefined && !isObject(given)) return `the arguments of ${name} are no object`;
  return { name, arguments: given ?? {} };
}

/** Where the object that begins at `start` ends; undefined where it does not. */
function endOfObject(text: string, start: number): number | undefined {
  let depth = 0;
  let isInString = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (isInString) {
      if (character === '\\') at += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === '{') depth += 1;
    else if (character === '}' && --depth === 0) return at + 1;
  }
  return undefined;
}
