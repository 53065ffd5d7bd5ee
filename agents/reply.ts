import { Ajv, type ValidateFunction } from 'ajv';
import type { Reply } from '../schemas/call.ts';
import type { AgentDefinition } from './role.ts';
import { finishTool, type ToolCallOfReply } from './run-state.ts';

/** What a reply asks for. */
export type Meaning =
  | { means: 'tools'; calls: ToolCallOfReply[] }
  | { means: 'result'; result: Record<string, unknown>; toolCallId?: string }
  | { means: 'nothing valid'; correction: string };

const ajv = new Ajv({ allErrors: true, strict: false });
const compiled = new Map<string, ValidateFunction>();

/** Reads a reply by the role's schema; what breaks it is said back to the model, every error with its path. */
export function meaningOf(definition: AgentDefinition, reply: Reply): Meaning {
  const finish = reply.toolCalls.find((call) => call.name === finishTool);
  const others = reply.toolCalls.filter((call) => call.name !== finishTool);
  if (others.length > 0) return { means: 'tools', calls: others };
  if (finish) {
    if (finish.arguments === null) {
      return { means: 'nothing valid', correction: `The arguments of finish are no JSON object: ${finish.invalidArguments ?? ''}` };
    }
    const read = resultOf(definition, finish.arguments);
    return read.means === 'result' ? { ...read, toolCallId: finish.id } : read;
  }
  const asJson = jsonIn(reply.content);
  if (asJson) {
    const read = resultOf(definition, asJson);
    if (read.means === 'result' || !definition.textIsResult) return read;
  }
  if (definition.textIsResult && reply.content.trim() !== '') return { means: 'result', result: { summary: reply.content.trim() } };
  const cut = reply.finish === 'length' ? ' The reply was cut off at its length limit.' : '';
  return { means: 'nothing valid', correction: `Call a tool, or end by calling finish.${cut} finish takes: ${JSON.stringify(definition.result)}` };
}

function resultOf(definition: AgentDefinition, value: Record<string, unknown>): Meaning {
  const validate = compiled.get(definition.name) ?? ajv.compile(definition.result);
  compiled.set(definition.name, validate);
  if (validate(value)) return { means: 'result', result: value };
  const errors = (validate.errors ?? []).map((error) => `${error.instancePath || '/'} ${error.message}`).join('; ');
  return { means: 'nothing valid', correction: `The result does not fit its schema: ${errors}. Call finish again with all of it.` };
}

/** A model without tool calling may give its result as JSON, fenced or not. */
function jsonIn(text: string): Record<string, unknown> | undefined {
  const fenced = /```(?:json)?\s*([\s\S]*?)```/.exec(text)?.[1] ?? text;
  const [from, to] = [fenced.indexOf('{'), fenced.lastIndexOf('}')];
  if (from < 0 || to <= from) return undefined;
  try {
    const value: unknown = JSON.parse(fenced.slice(from, to + 1));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
