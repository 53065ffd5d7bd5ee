import type { DataOf } from '../schemas/catalogue.ts';
import type { Envelope } from '../schemas/envelope.ts';
import type { CallStep, Opens, Outcome, Result, ToolStep } from '../schemas/run.ts';
import type { Decision, Input, OpenIntent } from '../schemas/service.ts';
import { addSpend, noSpend, type Spend } from '../schemas/work.ts';
import { append, conclude, goOn, nextCall, nextTool, toolStep } from './next-step.ts';
import { meaningOf } from './reply.ts';
import type { AgentDefinition } from './role.ts';
import { repeatsOf } from './run-repeats.ts';
import {
  callFailed,
  isOpening,
  openingTool,
  replyHeard,
  stepDone,
  testsTool,
  type Run,
} from './run-state.ts';

export type { RunFacts } from './next-step.ts';

const nothing: Decision = { do: 'nothing' };
/** A timer that is far from due is looked at again this soon, should its run have ended meanwhile. */
const lookAgainMs = 60_000;

type CallAnswer = DataOf<'call.completed'> | DataOf<'call.failed'> | DataOf<'call.cancelled'>;

/** The run loop, pure: model and tools alternate to a result. One input, at most one event. */
export function decide(definition: AgentDefinition, run: Run, input: Input): Decision {
  const event = input.event as Envelope;
  switch (input.type) {
    case 'run.start':
      return run.phase === 'none' ? started(run, event.data as DataOf<'run.start'>, input) : nothing;
    case 'run.stop':
      return run.phase === 'concluded' ? nothing : stopped(definition, run, event.data as DataOf<'run.stop'>);
    case 'call.completed':
    case 'call.failed':
    case 'call.cancelled':
      return answered(definition, run, input);
    case 'call.deadline': {
      const timer = event.data as DataOf<'call.deadline'>;
      if (run.opens?.kind !== 'call' || run.opens.callId !== timer.callId) return nothing;
      if (input.atMs < timer.dueAtMs) {
        return { do: 'later', delayMs: Math.min(timer.dueAtMs - input.atMs, lookAgainMs) };
      }
      return askNext(definition, run, input, 'no answer came in time', noSpend);
    }
    case 'outcome':
      return run.opens?.kind === 'tool' ? performed(definition, run, run.opens, input) : nothing;
    default:
      return nothing;
  }
}

function started(run: Run, start: DataOf<'run.start'>, input: Input): Decision {
  const { work, choices } = start;
  const opens = toolStep(run, input, openingTool, { baselineKnown: work.baselineKnown });
  return append('run.started', work, { work, choices, opens });
}

/** A stop that overtakes its start is written all the same, so that the run never begins. */
function stopped(definition: AgentDefinition, run: Run, stop: DataOf<'run.stop'>): Decision {
  const { reason, runId } = stop;
  const { opens } = run;
  const isUnderWay = opens?.kind === 'tool' && opens.effect === 'opaque';
  const after = isUnderWay
    ? `; ${opens.tool} (step ${opens.number}) was under way, and may still happen`
    : '';
  return conclude(definition, run, 'stopped', reason + after, { runId });
}

/** A call came to its end. Only the open one moves the run; of one that was given up only the cost counts, once. */
function answered(definition: AgentDefinition, run: Run, input: Input): Decision {
  const call = input.event!.data as CallAnswer;
  const spend = spendOf(call);
  if (run.opens?.kind !== 'call' || run.opens.callId !== call.callId) {
    const late = run.abandoned.find((one) => one.callId === call.callId && !one.isSettled);
    return late ? append('run.settled', run.work, { callId: call.callId, spend }) : nothing;
  }
  if ('reply' in call) return replied(definition, run, input, call, spend);
  const why = 'message' in call ? call.message : `the call was called off: ${call.reason}`;
  return askNext(definition, run, input, why, spend);
}

function replied(
  definition: AgentDefinition,
  run: Run,
  input: Input,
  { callId, reply }: DataOf<'call.completed'>,
  spend: Spend,
): Decision {
  const work = run.work!;
  const meaning = meaningOf(definition, reply, run.commit !== work.fromCommit);
  const correction = meaning.means === 'nothing valid' ? meaning.correction : undefined;
  const after = replyHeard(run, reply, spend, correction);
  const closing = { callId, reply };
  const opening = (opens: Opens) =>
    append('run.replied', work, { callId, reply, spend, ...(correction ? { correction } : {}), opens });
  switch (meaning.means) {
    case 'tools':
      return goOn(nextTool(definition, after, input, meaning.calls[0]!, closing), opening);
    case 'result': {
      if (definition.endsWithTests && work.test) {
        return opening(toolStep(after, input, testsTool, {}, meaning.toolCallId));
      }
      const result = resultOf(definition, meaning.result);
      return conclude(definition, after, 'done', 'finished', { ...closing, result });
    }
    case 'nothing valid':
      if (after.corrections > work.limits.corrections) {
        return conclude(definition, after, 'schema', unusable(after, meaning.correction), closing);
      }
      return goOn(nextCall(definition, after, input, closing), opening);
  }
}

/** Why a run ended whose model could not be understood; the usual cause shows in what it never did. */
function unusable(run: Run, correction: string): string {
  const hasCalled = run.turns.some((turn) => turn.turn === 'reply' && turn.reply.toolCalls.length > 0);
  const cause = hasCalled ? '' : ' (it never called a tool: does this model support tool calling?)';
  const model = run.choices[run.choice]?.model;
  return `${run.corrections} replies in a row of ${model} could not be used${cause}; the last was answered: ${correction}`;
}

/** The open call came to nothing: another choice is asked, under a new call id. `noSpend`: it is still open elsewhere. */
function askNext(definition: AgentDefinition, run: Run, input: Input, why: string, spend: Spend): Decision {
  const { callId } = run.opens as CallStep;
  const isAnswered = spend.calls > 0;
  const after = callFailed({ ...run, spent: addSpend(run.spent, spend) }, why, isAnswered);
  // A call that nobody answered is not named as the one that ended the run, so that it is called off.
  const closing = isAnswered ? { callId } : {};
  return goOn(nextCall(definition, after, input, closing), (opens) =>
    append('run.rerouted', run.work, { callId, why, spend, opens }),
  );
}

function performed(definition: AgentDefinition, run: Run, step: ToolStep, input: Input): Decision {
  const outcome = input.outcome as Outcome;
  const after = stepDone(run, outcome);
  const work = run.work!;
  const closing = { number: step.number, outcome };
  const stepped = (opens: Opens) => append('run.stepped', work, { number: step.number, outcome, opens });
  const ask = () => goOn(nextCall(definition, after, input, closing), stepped);

  if (isOpening(step)) {
    if (outcome.status !== 'ok') return conclude(definition, after, 'setup', outcome.output, closing);
    if (outcome.tests?.testsPass && work.goalIsTests) {
      return conclude(definition, after, 'green_already', 'the tests pass already', closing);
    }
    return ask();
  }
  if (run.isFinishing) {
    if (outcome.tests?.testsPass) {
      const result = resultOf(definition, { summary: run.summary || 'done' });
      return conclude(definition, after, 'done', 'the tests pass', { ...closing, result });
    }
    if (outcome.status === 'denied') {
      return conclude(definition, after, 'failed', `the tests may not be run: ${outcome.output}`, closing);
    }
    if (after.redRuns >= work.limits.attempts) {
      const what = outcome.tests ? 'the tests fail' : `the tests could not be run (${outcome.output})`;
      return conclude(definition, after, 'red', `${what} after ${after.redRuns} attempt(s)`, closing);
    }
    return ask();
  }
  const repeats = repeatsOf(definition, after);
  if (repeats.count > work.limits.corrections) {
    return conclude(definition, after, repeats.ending, repeats.reason, closing);
  }
  const queued = run.queue[0];
  return queued ? goOn(nextTool(definition, after, input, queued, closing), stepped) : ask();
}

/** The role is the run's own, whatever the model says. */
function resultOf(definition: AgentDefinition, result: Record<string, unknown>): Result {
  return { ...result, role: definition.name } as Result;
}

function spendOf(call: CallAnswer): Spend {
  const reply = 'reply' in call ? call.reply : undefined;
  return {
    calls: 1,
    inputTokens: reply?.inputTokens ?? 0,
    outputTokens: reply?.outputTokens ?? 0,
    costMicroDollars: call.costMicroDollars,
  };
}

/** The tool step that was declared and has no outcome yet. */
export function openIntent(run: Run): OpenIntent | undefined {
  if (run.opens?.kind !== 'tool') return undefined;
  const { tool, number, claim, epoch, effect, atMs } = run.opens;
  return {
    inputId: run.openInputId ?? '',
    key: `${tool}.${number}`,
    claim,
    epoch,
    effect,
    declaredAtMs: atMs,
  };
}

/** Another delivery takes the open step over; an opaque one is not repeated but shown to a person. */
export function takeOver(definition: AgentDefinition, run: Run, input: Input): Decision {
  const step = run.opens as ToolStep;
  if (step.effect === 'opaque') {
    const reason = `${step.tool} (step ${step.number}) may or may not have happened: its process is gone, it ran without a sandbox, and it may still happen`;
    return conclude(definition, run, 'indeterminate', reason, {});
  }
  return append('run.taken_over', run.work, {
    number: step.number,
    epoch: step.epoch + 1,
    claim: input.claim,
    from: step.claim.process,
  });
}
