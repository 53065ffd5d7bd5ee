import type { Reply } from '../schemas/call.ts';
import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import { deriveId, type Envelope } from '../schemas/envelope.ts';
import type { CallStep, Opens, Outcome, Result, ToolStep } from '../schemas/run.ts';
import type { Decision, Input, OpenIntent } from '../schemas/service.ts';
import { addSpend, noSpend, type Spend, type Work } from '../schemas/work.ts';
import { meaningOf } from './reply.ts';
import type { AgentDefinition } from './role.ts';
import { openingTool, stepDone, testsTool, type Run } from './run-state.ts';

/** What a run looks up before it decides: how tightly this process can hold a program. */
export interface RunFacts {
  /** True where programs run in a sandbox without network, so that repeating one after a reset is safe. */
  isSandboxed: boolean;
  /** How each tool behaves when it is repeated. */
  effects: Record<string, ToolStep['effect']>;
}

const nothing: Decision = { do: 'nothing' };
type Ending = DataOf<'run.concluded'>['ending'];

/** The run loop, pure: model and tools alternate to a result. One input, at most one event. */
export function decide(definition: AgentDefinition, run: Run, input: Input): Decision {
  const event = input.event as Envelope;
  switch (input.type) {
    case 'run.start':
      return run.phase === 'none' ? started(run, event.data as DataOf<'run.start'>, input) : nothing;
    case 'run.stop': {
      if (run.phase === 'concluded') return nothing;
      // A stop that overtakes its start is written all the same, so that the run never begins.
      const { reason, runId } = event.data as DataOf<'run.stop'>;
      return conclude(definition, run, 'stopped', reason, { runId });
    }
    case 'call.completed':
    case 'call.failed':
    case 'call.cancelled':
      return answered(definition, run, input);
    case 'call.deadline': {
      const timer = event.data as DataOf<'call.deadline'>;
      if (run.opens?.kind !== 'call' || run.opens.callId !== timer.callId) return nothing;
      if (input.atMs < timer.dueAtMs) return { do: 'later', delayMs: Math.min(timer.dueAtMs - input.atMs, 60_000) };
      return askNext(definition, run, input, 'no answer came in time', noSpend);
    }
    case 'outcome':
      return performed(definition, run, input);
    default:
      return nothing;
  }
}

function started(run: Run, start: DataOf<'run.start'>, input: Input): Decision {
  const { work, choices } = start;
  return append('run.started', work, { work, choices, opens: toolStep(run, input, openingTool, { baselineKnown: work.baselineKnown }) });
}

function answered(definition: AgentDefinition, run: Run, input: Input): Decision {
  const call = input.event!.data as DataOf<'call.completed'> | DataOf<'call.failed'> | DataOf<'call.cancelled'>;
  const spend = spendOf(input.type, call);
  if (run.opens?.kind !== 'call' || run.opens.callId !== call.callId) {
    const late = run.abandoned.find((one) => one.callId === call.callId && !one.isSettled);
    return late ? append('run.settled', run.work, { callId: call.callId, spend }) : nothing;
  }
  if (input.type === 'call.failed') return askNext(definition, run, input, (call as DataOf<'call.failed'>).message, spend);
  if (input.type === 'call.cancelled') return askNext(definition, run, input, `the call was called off: ${(call as DataOf<'call.cancelled'>).reason}`, spend);
  const { reply } = call as DataOf<'call.completed'>;
  return replied(definition, run, input, call.callId, reply, spend);
}

function replied(definition: AgentDefinition, run: Run, input: Input, callId: string, reply: Reply, spend: Spend): Decision {
  const work = run.work!;
  const meaning = meaningOf(definition, reply);
  const after: Run = { ...run, spent: addSpend(run.spent, spend) };
  const closing = { callId, reply, spend: after.spent };
  const goOn = (opens: Opens | Decision, correction?: string): Decision => {
    if ('do' in opens) return opens;
    return append('run.replied', work, { callId, reply, spend, ...(correction ? { correction } : {}), opens });
  };
  switch (meaning.means) {
    case 'tools':
      if (run.steps >= work.limits.steps) return conclude(definition, after, 'steps', stepsReason(work), closing);
      return goOn(toolStep(run, input, meaning.calls[0]!.name, meaning.calls[0]!.arguments ?? {}, meaning.calls[0]!.id));
    case 'result':
      if (definition.endsWithTests && work.test) return goOn(toolStep(run, input, testsTool, {}, meaning.toolCallId));
      return conclude(definition, after, 'done', 'finished', { ...closing, result: resultOf(definition, meaning.result) });
    case 'nothing valid':
      if (run.corrections >= work.limits.corrections) {
        return conclude(definition, after, 'schema', `${run.corrections + 1} replies in a row could not be used; the last: ${meaning.correction}`, closing);
      }
      return goOn(nextCall(definition, after, input, 0), meaning.correction);
  }
}

/** The open call came to nothing: the next choice is asked, under a new call id. */
function askNext(definition: AgentDefinition, run: Run, input: Input, why: string, spend: Spend): Decision {
  const open = run.opens as CallStep;
  const after: Run = { ...run, spent: addSpend(run.spent, spend) };
  if (open.choice + 1 >= run.choices.length) {
    return conclude(definition, after, 'model', `${run.choices[open.choice]?.model}: ${why}; no other model is left to ask`, { callId: open.callId, spend: after.spent });
  }
  const opens = nextCall(definition, after, input, open.choice + 1);
  if ('do' in opens) return opens;
  return append('run.rerouted', run.work, { callId: open.callId, why, spend, opens });
}

function performed(definition: AgentDefinition, run: Run, input: Input): Decision {
  const step = run.opens as ToolStep;
  const outcome = input.outcome as Outcome;
  const after = stepDone(run, outcome);
  const work = run.work!;
  const closing = { number: step.number, outcome };
  const goOn = (opens: Opens | Decision): Decision =>
    'do' in opens ? opens : append('run.stepped', work, { number: step.number, outcome, opens });

  if (step.tool === openingTool) {
    if (outcome.status !== 'ok') return conclude(definition, after, 'setup', outcome.output, closing);
    if (outcome.tests?.testsPass && work.goalIsTests) return conclude(definition, after, 'green_already', 'the tests pass already', closing);
    return goOn(nextCall(definition, after, input, 0, closing));
  }
  if (step.tool === testsTool && run.isFinishing) {
    if (outcome.tests?.testsPass) {
      const result = resultOf(definition, { summary: run.summary || 'done' });
      return conclude(definition, after, 'done', 'the tests pass', { ...closing, result });
    }
    if (after.redRuns >= work.limits.attempts) {
      return conclude(definition, after, 'red', `the tests fail after ${after.redRuns} attempt(s)`, closing);
    }
    return goOn(nextCall(definition, after, input, 0, closing));
  }
  if (after.steps >= work.limits.steps) return conclude(definition, after, 'steps', stepsReason(work), closing);
  const queued = run.queue[0];
  if (queued) return goOn(toolStep(run, input, queued.name, queued.arguments ?? {}, queued.id));
  return goOn(nextCall(definition, after, input, 0, closing));
}

/** Opens a tool step in this delivery's name. */
function toolStep(run: Run, input: Input, tool: string, args: unknown, toolCallId?: string): ToolStep {
  const facts = input.facts as RunFacts | undefined;
  return {
    kind: 'tool',
    number: run.steps,
    tool,
    arguments: args,
    ...(toolCallId ? { toolCallId } : {}),
    effect: facts?.effects[tool] ?? 'idempotent',
    epoch: 1,
    claim: input.claim,
    atMs: input.atMs,
  };
}

/** Opens a question to a model, or concludes when steps or budget do not allow one. */
function nextCall(definition: AgentDefinition, run: Run, input: Input, choice: number, closing: Closing = {}): CallStep | Decision {
  const work = run.work!;
  const end = (ending: Ending, reason: string) => conclude(definition, run, ending, reason, closing);
  if (run.steps >= work.limits.steps) return end('steps', stepsReason(work));
  const asked = run.choices[choice]!;
  const worstCase = Math.ceil((asked.contextTokens * asked.inputMicroDollars + asked.maxTokens * asked.outputMicroDollars) / 1_000_000);
  const spent = work.spent.costMicroDollars + run.spent.costMicroDollars;
  if (worstCase > 0 && spent + worstCase > work.limits.budgetMicroDollars) {
    return end('budget', `the next call may cost ${dollars(worstCase)}, and ${dollars(spent)} of ${dollars(work.limits.budgetMicroDollars)} are spent`);
  }
  return {
    kind: 'call',
    number: run.steps,
    callId: deriveId(work.runId, 'call', run.steps, choice),
    choice,
    deadlineAtMs: input.atMs + asked.timeoutMs,
  };
}

interface Closing {
  number?: number;
  outcome?: Outcome;
  callId?: string;
  reply?: Reply;
  result?: Result;
  spend?: Spend;
  runId?: string;
}

function conclude(definition: AgentDefinition, run: Run, ending: Ending, reason: string, closing: Closing): Decision {
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

function resultOf(definition: AgentDefinition, result: Record<string, unknown>): Result {
  return { role: definition.name, ...result } as Result;
}

function spendOf(type: string, call: DataOf<'call.completed'> | DataOf<'call.failed'> | DataOf<'call.cancelled'>): Spend {
  const reply = type === 'call.completed' ? (call as DataOf<'call.completed'>).reply : undefined;
  return {
    calls: 1,
    inputTokens: reply?.inputTokens ?? 0,
    outputTokens: reply?.outputTokens ?? 0,
    costMicroDollars: call.costMicroDollars,
  };
}

const stepsReason = (work: Work) => `the run has used its ${work.limits.steps} steps`;
const dollars = (micro: number) => `$${(micro / 1_000_000).toFixed(4)}`;

function append(type: EventOf<'run'>, work: Work | undefined, data: Record<string, unknown>): Decision {
  return { do: 'append', type, data, ...(work ? { hop: work.hop, cyclesLeft: work.cyclesLeft } : {}) };
}

/** The tool step that was declared and has no outcome yet. */
export function openIntent(run: Run): OpenIntent | undefined {
  if (run.opens?.kind !== 'tool') return undefined;
  const { tool, number, claim, epoch, effect, atMs } = run.opens;
  return { inputId: run.openInputId ?? '', key: `${tool}.${number}`, claim, epoch, effect, declaredAtMs: atMs };
}

/** Another delivery takes the open step over; an opaque one is not repeated but shown to a person. */
export function takeOver(definition: AgentDefinition, run: Run, input: Input): Decision {
  const step = run.opens as ToolStep;
  if (step.effect === 'opaque') {
    return conclude(definition, run, 'indeterminate', `${step.tool} (step ${step.number}) may or may not have happened: its process is gone, it ran without a sandbox, and it may still happen`, {});
  }
  return append('run.taken_over', run.work, { number: step.number, epoch: step.epoch + 1, claim: input.claim, from: step.claim.process });
}
