import { mostLimits, type Limits } from '../../schemas/bounds.ts';
import type { DataOf } from '../../schemas/catalogue.ts';
import type { Decision, Input } from '../../schemas/service.ts';
import { addSpend, noSpend } from '../../schemas/work.ts';
import { modelProblem } from './accept.ts';
import { isBudgetUsedUp } from './budget.ts';
import { goesOnWith } from './go-on.ts';
import { nextWork } from './next.ts';
import { pausedForModel, stillPaused, type Lack, type PauseKind } from './pause.ts';
import type { StoppedRun, Task } from './task.ts';

type Resumption = 'task.resume' | 'task.answer' | 'task.approve';
type Added = Partial<DataOf<'task.resume'>>;

const nothing: Decision = { do: 'nothing' };

/** What lets each kind of pause go on. An answer is heard wherever it may help; an approval only where one is asked for. */
const answersTo: Record<Resumption, readonly PauseKind[]> = {
  'task.resume': [
    'bound',
    'budget',
    'deadline',
    'review',
    'model',
    'dead_letter',
    'failure',
    'asked',
    'question',
  ],
  'task.answer': ['bound', 'question', 'review', 'failure', 'asked', 'model', 'approval'],
  'task.approve': ['approval', 'indeterminate'],
};

/** How often a resume is put back while the run that was stopped has not said where it ended. */
const mostWaits = 20;
const waitMs = 250;

/** What is looked up before a task goes on. */
export interface ResumeFacts {
  /** What the journals of the runs in `stops` say. */
  stopped?: StoppedRun[];
  /** The names of the models that may be asked, where the request names one. */
  models?: string[];
  /** The names of those that the mode lets nobody ask, where there are some. */
  barred?: string[];
}

/** Lets a paused task go on: a new run, from the last commit, of what the pause left to be done. */
export function resume(task: Task, input: Input, { stopped, models, barred }: ResumeFacts): Decision {
  const type = input.type as Resumption;
  const held = task.pause;
  if (task.phase !== 'paused' || !held || !answersTo[type].includes(held.kind)) return nothing;
  const added: Added = type === 'task.resume' ? (input.event!.data as DataOf<'task.resume'>) : {};
  // A record from before the models were looked up is decided again as it was.
  if (added.model && models && !models.includes(added.model))
    return pausedForModel(task, held, modelProblem(added.model, models, barred), models[0]);
  // Its last commit is where the work goes on, and its cost is the task's.
  const last = stopped?.find((run) => run.runId === task.work!.runId);
  if (last && !last.hasEnded && input.claim.deliveries < mostWaits) return { do: 'later', delayMs: waitMs };

  const answer = type === 'task.answer' ? (input.event!.data as DataOf<'task.answer'>).answer : undefined;
  const before = held.next?.limits ?? task.limits!;
  const leftMs = added.deadlineMs || Math.max(0, task.deadlineAtMs - held.sinceMs);
  const limits = extended(before, added, input.atMs + leftMs - task.acceptedAtMs);
  const known: Task = {
    ...task,
    limits,
    ...(added.model ? { model: added.model } : {}),
    // An answer is a goal of its own: that the tests pass is no longer all there is to do.
    goalIsTests: answer === undefined && task.goalIsTests,
    notes: answer === undefined ? task.notes : [...task.notes, answer],
    spent: endedOf(task, stopped).reduce((sum, run) => addSpend(sum, run.spend), task.spent),
    baselineKnown: task.baselineKnown || (held.next?.baselineKnown ?? false),
  };
  const goOn = goesOnWith(known, held, type, last?.commit);
  if (answer !== undefined) limits.hops = Math.max(limits.hops, Math.min(mostLimits.hops, goOn.needsHop));
  const cyclesLeft = goOn.cyclesLeft + limits.cycles - before.cycles;

  if (type === 'task.resume') {
    const granted = { limits, cyclesLeft, needsHop: goOn.needsHop, leftMs };
    if (lacksOf(known, granted).length > 0) {
      const asItWas = { ...granted, limits: before, cyclesLeft: goOn.cyclesLeft };
      return stillPaused(
        task,
        held,
        lacksOf(known, { ...asItWas, leftMs: task.deadlineAtMs - held.sinceMs }),
      );
    }
  }
  const next = nextWork(known, { ...goOn.work, cyclesLeft: Math.max(0, cyclesLeft), spend: noSpend });
  return {
    do: 'append',
    type: 'task.resumed',
    hop: next.hop,
    cyclesLeft: next.cyclesLeft,
    data: { ...(answer === undefined ? {} : { answer }), limits, next },
  };
}

/** Abandoned runs that have ended by now; each leaves the list of stops with this event, so it counts once. */
function endedOf(task: Task, stopped: StoppedRun[] | undefined): StoppedRun[] {
  const owed = new Set(task.stops.map((stop) => stop.runId));
  return (stopped ?? []).filter((run) => run.hasEnded && owed.has(run.runId));
}

interface Granted {
  limits: Limits;
  cyclesLeft: number;
  needsHop: number;
  leftMs: number;
}

/** What is still lacking; a resume that brings too little starts nothing. */
function lacksOf(task: Task, granted: Granted): { reason: string; lack: Lack }[] {
  const { limits } = granted;
  const lacks: { reason: string; lack: Lack }[] = [];
  const cycles = -granted.cyclesLeft;
  if (cycles > 0) lacks.push({ reason: 'no review cycle is left', lack: { cycles } });
  const hops = granted.needsHop - limits.hops;
  if (hops > 0) lacks.push({ reason: `${hops} more hop(s) are needed`, lack: { hops } });
  const spent = task.spent.costMicroDollars;
  if (isBudgetUsedUp(spent, limits.budgetMicroDollars)) {
    const overBudget = spent - limits.budgetMicroDollars;
    lacks.push({ reason: 'the budget is used up', lack: { overBudget } });
  }
  if (granted.leftMs <= 0) lacks.push({ reason: 'no time is left', lack: { deadline: '1h' } });
  return lacks;
}

/** Only a person who resumes may loosen a bound, and only as far as the contract goes. */
function extended(limits: Limits, added: Added, deadlineMs: number): Limits {
  return {
    ...limits,
    hops: Math.max(limits.hops, Math.min(mostLimits.hops, limits.hops + (added.hops ?? 0))),
    cycles: Math.max(limits.cycles, Math.min(mostLimits.cycles, limits.cycles + (added.cycles ?? 0))),
    steps: Math.max(limits.steps, Math.min(mostLimits.steps, limits.steps + (added.steps ?? 0))),
    budgetMicroDollars: limits.budgetMicroDollars + (added.budgetMicroDollars ?? 0),
    // Counted from acceptance as ever: the time that the task was paused is added.
    deadlineMs: Math.max(1000, deadlineMs),
  };
}
