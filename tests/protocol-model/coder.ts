import { type Decision, type Intent, type Question, append, intentAfter, nothing } from './decision.ts';
import { attemptOfCall, callName, inputParts, runOf, stepOf } from './inputs.ts';
import type { Configuration, Conclusion, Event, Input, Journal } from './state.ts';

export interface Run {
  hasStarted: boolean;
  concluded?: Conclusion;
  /** Index of the step at hand. */
  step: number;
  /** The open call: the run is parked on its answer. */
  call?: string;
  calls: readonly string[];
  /** Answers that came too late to move the run, and whose cost was written down. */
  settled: ReadonlySet<Input>;
  intent?: Intent;
}

export function foldRun(journal: Journal): Run {
  let step = 0;
  let call: string | undefined;
  let intent: Intent | undefined;
  let concluded: Conclusion | undefined;
  const calls: string[] = [];
  const settled = new Set<Input>();
  for (const event of journal) {
    intent = intentAfter(intent, event);
    if (event.type === 'settled') settled.add(event.input);
    if (event.opens) {
      call = undefined;
      step = stepOf(event.opens);
    }
    if (event.call) {
      call = event.call;
      step = stepOf(call);
      calls.push(call);
    }
    if (event.concluded) {
      concluded = event.concluded;
      call = undefined;
    }
  }
  return { hasStarted: calls.length > 0, concluded, step, call, calls, settled, intent };
}

export function decideRun({ configuration, inForce, journal, input, claim }: Question): Decision {
  const run = foldRun(journal);
  const { kind, about } = inputParts(input);
  if (run.intent?.input === input) return { do: 'resume', intent: run.intent };
  if (run.concluded) return nothing;
  switch (kind) {
    case 'start':
      return run.hasStarted ? nothing : append({ type: 'started', input, call: callName(about, 0, 1) });
    case 'stop':
      if (!run.hasStarted && !inForce('stop before start')) return nothing;
      return append({ type: 'concluded', input, concluded: 'stopped' });
    case 'answer': {
      const isOpen = run.call === about;
      const obeysAny = run.call !== undefined && !inForce('only the open call advances');
      if (isOpen || (obeysAny && run.calls.includes(about))) {
        const step = nextStep(configuration, runOf(about), run.step + 1);
        const outdated = isOpen ? undefined : `call ${about}`;
        if (step.opens) return append({ ...step, type: 'intended', input, claim, epoch: 1, outdated });
        return append({ ...step, type: step.call ? 'asked' : 'concluded', input, outdated });
      }
      return run.calls.includes(about) && !run.settled.has(input)
        ? append({ type: 'settled', input })
        : nothing;
    }
    case 'deadline': {
      if (run.call !== about) return nothing;
      const attempt = attemptOfCall(about);
      if (attempt >= configuration.callAttempts) {
        return append({ type: 'concluded', input, concluded: 'no answer' });
      }
      return append({ type: 'asked', input, call: callName(runOf(about), run.step, attempt + 1) });
    }
    default:
      throw new Error(`a coder takes no '${input}'`);
  }
}

/** What a step opens; past the last one the run is green. */
function nextStep(
  configuration: Configuration,
  run: string,
  step: number,
): Pick<Event, 'call' | 'opens' | 'concluded'> {
  switch (configuration.steps[step]) {
    case 'call':
      return { call: callName(run, step, 1) };
    case 'tool':
      return { opens: `tool ${run}.${step}` };
    default:
      return { concluded: 'green' };
  }
}

/** The event that closes a tool act; it also opens the next step. */
export function toolResult(
  configuration: Configuration,
  runName: string,
  journal: Journal,
  closing: Pick<Event, 'input' | 'closes' | 'epoch' | 'claim'>,
  outcome: Conclusion | undefined,
): Event {
  const next = nextStep(configuration, runName, foldRun(journal).step + 1);
  const opened = next.concluded ? { concluded: outcome ?? 'green' } : next;
  return { type: 'resulted', ...closing, ...opened };
}

export const isLastStep = (configuration: Configuration, journal: Journal): boolean =>
  foldRun(journal).step + 1 >= configuration.steps.length;

export function runOutbox(runName: string, journal: Journal, hasTimer: boolean): Input[] {
  const { concluded, call } = foldRun(journal);
  if (concluded) return [`conclusion ${runName}`];
  if (!call) return [];
  return hasTimer ? [`ask ${call}`, `deadline ${call}`] : [`ask ${call}`];
}
