import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import { deriveId } from '../schemas/envelope.ts';
import type { CallStep, Opens, Outcome, Result, ToolStep } from '../schemas/run.ts';
import type { Decision, Input } from '../schemas/service.ts';
import type { Choice, Work } from '../schemas/work.ts';
import type { AgentDefinition } from './role.ts';
import type { Run, ToolCallOfReply } from './run-state.ts';
import { estimateTokens } from './tokens.ts';
import { transcript } from './transcript.ts';

export type Ending = DataOf<'run.concluded'>['ending'];

/** What a run looks up before it decides. */
export interface RunFacts {
  /** How each tool behaves when it is repeated, by how tightly this process can hold a program. */
  effects: Record<string, ToolStep['effect']>;
}

/** What a conclusion says of the step or call that brought it about. */
export interface Closing {
  number?: number;
  outcome?: Outcome;
  /** The call that was answered; an open call that is not named here is called off. */
  callId?: string;
  reply?: unknown;
  result?: Result;
  runId?: string;
}

/** Tokens that the descriptions of the tools take at most; a call's worst case counts them. */
const toolTokens = 2500;

export function append(
  type: EventOf<'run'>,
  work: Work | undefined,
  data: Record<string, unknown>,
): Decision {
  return { do: 'append', type, data, ...(work ? { hop: work.hop, cyclesLeft: work.cyclesLeft } : {}) };
}

/** Ends a run. What a stop ends before it started has no work, and its id comes with the stop. */
export function conclude(
  definition: AgentDefinition,
  run: Run,
  ending: Ending,
  reason: string,
  closing: Closing,
): Decision {
  return append('run.concluded', run.work, {
    runId: run.work?.runId,
    commit: run.commit,
    ...(run.baseline ? { baseline: run.baseline } : {}),
    ...(run.tests ? { tests: run.tests } : {}),
    spend: run.spent,
    ...closing,
    ending,
    reason,
    role: definition.name,
  });
}

/** Goes on with what is opened, told by `event`, unless what should be opened is the run's end instead. */
export function goOn(opens: Opens | Decision, event: (opens: Opens) => Decision): Decision {
  return 'do' in opens ? opens : event(opens);
}

/** Opens a tool step in this delivery's name. */
export function toolStep(run: Run, input: Input, tool: string, args: unknown, toolCallId?: string): ToolStep {
  // The shell looks nothing up for the outcome of an act; this process said it when it began to act.
  const effects = (input.facts as RunFacts | undefined)?.effects ?? run.effects;
  return {
    kind: 'tool',
    number: run.steps,
    tool,
    arguments: args,
    ...(toolCallId ? { toolCallId } : {}),
    effect: effects[tool] ?? 'idempotent',
    epoch: 1,
    claim: input.claim,
    atMs: input.atMs,
  };
}

/** Opens a tool step that the model asked for, or concludes when no step is left. */
export function nextTool(
  definition: AgentDefinition,
  run: Run,
  input: Input,
  call: ToolCallOfReply,
  closing: Closing,
): ToolStep | Decision {
  if (stepsLeft(definition, run) <= 0) return outOfSteps(definition, run, closing);
  // What is no JSON is recorded as it was written; no tool takes it for its arguments.
  return toolStep(run, input, call.name, call.arguments ?? call.invalidArguments ?? '', call.id);
}

/** Opens a question to a model, or concludes when steps, models or budget do not allow one. */
export function nextCall(
  definition: AgentDefinition,
  run: Run,
  input: Input,
  closing: Closing,
): CallStep | Decision {
  const work = run.work!;
  if (stepsLeft(definition, run) <= 0) return outOfSteps(definition, run, closing);
  const problems = run.failures.map(({ choice, why }) => `${run.choices[choice]?.model}: ${why}`);
  for (const choice of untried(run)) {
    const asked = run.choices[choice]!;
    const tooLong = windowProblem(definition, run, asked);
    if (tooLong) {
      problems.push(`${asked.model}: ${tooLong}`);
      continue;
    }
    const lack = budgetProblem(definition, run, asked);
    if (lack) return conclude(definition, run, 'budget', [...problems, lack].join('; '), closing);
    return {
      kind: 'call',
      number: run.steps,
      callId: deriveId(work.runId, 'call', run.steps, choice),
      choice,
      deadlineAtMs: input.atMs + asked.timeoutMs,
    };
  }
  return conclude(definition, run, 'model', `${problems.join('; ')}; no other model is left to ask`, closing);
}

/** The choices that this question was not put to, the one that answered last first, then in the routed order. */
function untried(run: Run): number[] {
  const { choices, choice, failures } = run;
  const order = choices.map((_, place) => (choice + place) % choices.length);
  return order.filter((place) => !failures.some((failed) => failed.choice === place));
}

/** Steps that may be opened now; where the harness runs the tests at the end, the last one is kept for them. */
function stepsLeft(definition: AgentDefinition, run: Run): number {
  const { limits, test } = run.work!;
  return limits.steps - run.steps - (definition.endsWithTests && test ? 1 : 0);
}

function outOfSteps(definition: AgentDefinition, run: Run, closing: Closing): Decision {
  return conclude(definition, run, 'steps', `the run has used its ${run.work!.limits.steps} steps`, closing);
}

/** Many small turns can fill a window that no cutting frees; a server would cut them silently. */
function windowProblem(definition: AgentDefinition, run: Run, asked: Choice): string | undefined {
  const room = asked.contextTokens - asked.maxTokens;
  if (estimateTokens(transcript(definition, run, room)) <= room) return undefined;
  return `the run no longer fits its context window of ${asked.contextTokens} tokens`;
}

/** Why the call must not be made, where at its worst it would break the budget of the task. */
function budgetProblem(definition: AgentDefinition, run: Run, asked: Choice): string | undefined {
  const worst = worstCaseOf(definition, run, asked);
  if (worst === 0) return undefined;
  const { spent, limits } = run.work!;
  const held = run.abandoned
    .filter((one) => !one.isSettled)
    .reduce((sum, one) => sum + worstCaseOf(definition, run, run.choices[one.choice]!), 0);
  const used = spent.costMicroDollars + run.spent.costMicroDollars;
  if (used + held + worst <= limits.budgetMicroDollars) return undefined;
  const withHeld = held > 0 ? ` and ${dollars(held)} held for calls that were given up` : '';
  return `the next call may cost ${dollars(worst)}, and ${dollars(used)} of ${dollars(limits.budgetMicroDollars)} are spent${withHeld}`;
}

/** What a call may cost at most, in whole micro-dollars: what it is about to read, and the longest reply. */
function worstCaseOf(definition: AgentDefinition, run: Run, asked: Choice): number {
  const { contextTokens, maxTokens, inputMicroDollars, outputMicroDollars } = asked;
  if (inputMicroDollars === 0 && outputMicroDollars === 0) return 0;
  const read = estimateTokens(transcript(definition, run, contextTokens - maxTokens)) + toolTokens;
  return Math.ceil(
    (Math.min(contextTokens, read) * inputMicroDollars + maxTokens * outputMicroDollars) / 1_000_000,
  );
}

const dollars = (micro: number) => `$${(micro / 1_000_000).toFixed(4)}`;
