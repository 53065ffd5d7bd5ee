import type { ToolStep } from '../schemas/run.ts';
import type { AgentDefinition } from './role.ts';
import { testsTool, type Run } from './run-state.ts';

/** The same failure over and over: how often beyond the first time, and what to say of it. */
export interface Repeats {
  count: number;
  ending: 'schema' | 'failed';
  reason: string;
}

/**
 * How often the model has come back, in a row, to the call that failed last: the same tool with the same arguments,
 * or any tool that there is not. Calls of one reply count once, for their model had not seen the first of them fail.
 */
export function repeatsOf(definition: AgentDefinition, run: Run): Repeats {
  const none: Repeats = { count: 0, ending: 'failed', reason: '' };
  const last = run.turns.at(-1);
  if (last?.turn !== 'step' || last.outcome.status === 'ok') return none;
  const { step, outcome } = last;
  const isUnknown = !knows(definition, step.tool);
  const called = asText(step);
  let replies = 0;
  let isOfReply = false;
  for (const turn of run.turns.toReversed()) {
    if (turn.turn === 'reply') {
      if (isOfReply) replies += 1;
      isOfReply = false;
      continue;
    }
    const isSame = isUnknown ? !knows(definition, turn.step.tool) : asText(turn.step) === called;
    if (turn.outcome.status === 'ok' || !isSame) break;
    isOfReply = true;
  }
  // The row may begin in the middle of a reply.
  if (isOfReply) replies += 1;
  const model = run.choices[run.choice]?.model;
  const said = outcome.output.slice(0, 300);
  return {
    count: Math.max(0, replies - 1),
    ending: isUnknown ? 'schema' : 'failed',
    reason: isUnknown
      ? `${replies} replies in a row of ${model} called tools that there are not, the last ${step.tool}: ${said}`
      : `${model} made the same call of ${step.tool} ${replies} times in a row, and each failed: ${said}`,
  };
}

const knows = (definition: AgentDefinition, tool: string) =>
  tool === testsTool || definition.tools.includes(tool);

/** A call as one text, so that two can be compared; the record keeps the order in which a model wrote its arguments. */
const asText = ({ tool, arguments: given }: ToolStep) => `${tool} ${JSON.stringify(given)}`;
