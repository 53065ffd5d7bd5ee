import { Value } from 'typebox/value';
import type { Reply } from '../schemas/call.ts';
import { fillDefaults } from '../schemas/defaults.ts';
import { mistakesIn, mistakeText, type Mistake } from '../schemas/mistakes.ts';
import type { AgentRole } from '../schemas/row.ts';
import { objectsIn, spoken } from './reply-text.ts';
import type { AgentDefinition } from './role.ts';
import { contradictionIn } from './roles/reviewer.ts';
import { finishTool, type ToolCallOfReply } from './run-state.ts';

/** What a reply asks for. */
export type Meaning =
  | { means: 'tools'; calls: ToolCallOfReply[] }
  | { means: 'result'; result: Record<string, unknown>; toolCallId?: string }
  | { means: 'nothing valid'; correction: string };

/** What no schema can say: a result that speaks against itself, in a sentence for the model. */
const contradictions: Partial<Record<AgentRole, (result: never) => string | undefined>> = {
  reviewer: contradictionIn,
};

const mostQuoted = 300;

/**
 * Reads a reply by the role's schema; what breaks it is said back to the model, every error with its path. A text is
 * taken for the end of the work only where the work has begun: many models announce in prose what they are about to do.
 */
export function meaningOf(definition: AgentDefinition, reply: Reply, hasChanged: boolean): Meaning {
  const others = reply.toolCalls.filter((call) => call.name !== finishTool);
  if (others.length > 0) return { means: 'tools', calls: others };
  const isCut = reply.finish === 'length';
  const cut = isCut ? ' The reply was cut off at its length limit: be briefer.' : '';
  const finish = reply.toolCalls[0];
  if (finish) {
    if (finish.arguments === null) {
      const written = (finish.invalidArguments ?? '').slice(0, mostQuoted);
      return invalid(`The arguments of finish are no JSON object: ${written}.${cut}`);
    }
    const read = resultIn(definition, finish.arguments);
    return read.means === 'result' ? { ...read, toolCallId: finish.id } : read;
  }
  const text = spoken(reply.content);
  const objects = objectsIn(text);
  const results = objects.map((one) => resultIn(definition, argumentsOfFinish(one) ?? one));
  const result = results.find((one) => one.means === 'result');
  if (result) return result;
  const written = objects.find((one) => isCallOf(definition, one));
  if (written) {
    return invalid(
      `Your text holds a call of ${String(written['name'])}, which was not performed. Call the tool itself, or reply with that JSON and nothing else.`,
    );
  }
  if (definition.textIsResult && text !== '' && !isCut) {
    if (hasChanged) return { means: 'result', result: { summary: text } };
    return invalid(
      'Nothing is changed yet, and no tool was called. Call a tool to go on, or call finish if nothing is to be done.',
    );
  }
  const said = text === '' ? 'The reply was empty. ' : '';
  const howTo = `${said}Call a tool, or end by calling finish; if you cannot call tools, reply with its arguments as JSON and nothing else.${cut} finish takes: ${JSON.stringify(definition.result)}`;
  const [broken] = results;
  if (broken?.means === 'nothing valid' && !definition.textIsResult) return invalid(broken.correction + cut);
  return invalid(howTo);
}

const invalid = (correction: string): Meaning => ({ means: 'nothing valid', correction });

/** Models write `null` for what they leave out, numbers as texts, and no empty lists: what is meant is clear. */
function resultIn(definition: AgentDefinition, value: Record<string, unknown>): Meaning {
  const schema = definition.result;
  const result = withoutNulls(value);
  fillDefaults(schema, result);
  const mistakes = mistakesIn(schema, result);
  if (mistakes.length > 0) {
    const meant = Value.Convert(schema, structuredClone(result)) as Record<string, unknown>;
    if (mistakesIn(schema, meant).length === 0) return fitting(definition, meant);
  }
  return fitting(definition, result, mistakes);
}

/** What a result that fits its schema means, or what is wrong with the one that does not. */
function fitting(
  definition: AgentDefinition,
  result: Record<string, unknown>,
  mistakes: readonly Mistake[] = [],
): Meaning {
  const problem =
    mistakes.length > 0
      ? mistakes.map((one) => mistakeText(one, 'the whole')).join('; ')
      : contradictions[definition.name]?.(result as never);
  if (!problem) return { means: 'result', result };
  return invalid(`The result does not fit: ${problem}. Call finish again with all of it.`);
}

/** A copy without the properties that are null. In a list it would leave a hole, and nobody knows what was meant. */
function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value), function (this: unknown, _key, one: unknown) {
    return one === null && !Array.isArray(this) ? undefined : one;
  }) as Record<string, unknown>;
}

/** A call of the closing tool that was written as text. */
function argumentsOfFinish(value: Record<string, unknown>): Record<string, unknown> | undefined {
  const given = value['arguments'] ?? value['parameters'];
  const isFinish = value['name'] === finishTool && typeof given === 'object' && given !== null;
  return isFinish ? (given as Record<string, unknown>) : undefined;
}

function isCallOf(definition: AgentDefinition, value: Record<string, unknown>): boolean {
  return typeof value['name'] === 'string' && definition.tools.includes(value['name']);
}
