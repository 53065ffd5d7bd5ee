import type { Limits } from '../../schemas/bounds.ts';
import type { DataOf } from '../../schemas/catalogue.ts';
import type { Decision, Input } from '../../schemas/service.ts';
import { noSpend } from '../../schemas/work.ts';
import { nextWork } from './next.ts';
import type { PauseKind, Task } from './task.ts';

const nothing: Decision = { do: 'nothing' };

/** What lets each kind of pause go on. An answer is heard wherever it may help; an approval only where one is asked for. */
const answersTo: Record<'task.resume' | 'task.answer' | 'task.approve', readonly PauseKind[]> = {
  'task.resume': ['bound', 'budget', 'deadline', 'review', 'model', 'dead_letter', 'failure', 'asked', 'question'],
  'task.answer': ['bound', 'question', 'review', 'failure', 'asked', 'model'],
  'task.approve': ['approval', 'indeterminate'],
};

/** Lets a paused task go on: a new run of the work that was stopped, from the last commit. */
export function resume(task: Task, input: Input): Decision {
  const type = input.type as keyof typeof answersTo;
  if (task.phase !== 'paused' || !task.pause || !answersTo[type].includes(task.pause.kind)) return nothing;
  const more = (input.type === 'task.resume' ? input.event!.data : {}) as Partial<DataOf<'task.resume'>>;
  const answer = input.type === 'task.answer' ? (input.event!.data as DataOf<'task.answer'>).answer : undefined;
  const limits = extended(task.limits!, more);
  const stopped = task.work!;
  const begins = task.pause.kind === 'approval';
  const item = task.items[Math.max(0, task.itemIndex)];
  // A plan that was approved begins; a review that stopped the work goes back to whoever does the work.
  const goesBack = task.pause.kind === 'review' || task.pause.kind === 'bound';
  const role = begins || (goesBack && stopped.role === 'reviewer') ? (item?.role ?? stopped.role) : stopped.role;
  const known: Task = {
    ...task,
    limits,
    ...(more.model ? { model: more.model } : {}),
    // An answer is a goal of its own: that the tests pass is no longer all there is to do.
    goalIsTests: answer === undefined && task.goalIsTests,
  };
  const next = nextWork(known, {
    role,
    itemIndex: begins ? 0 : stopped.itemIndex,
    goal: begins ? item!.goal : stopped.goal,
    acceptance: begins ? item!.acceptance : stopped.acceptance,
    hop: begins ? 0 : Math.max(0, stopped.hop - (more.hops ?? 0)),
    cyclesLeft: begins ? limits.cycles : stopped.cyclesLeft + (more.cycles ?? 0),
    findings: begins ? [] : stopped.findings,
    fromCommit: begins ? task.commit : stopped.role === role ? stopped.fromCommit : task.commit,
    notes: answer === undefined ? task.notes : [...task.notes, answer],
    ...(stopped.lastTests && role === 'reviewer' ? { lastTests: stopped.lastTests } : {}),
    spend: noSpend,
  });
  return {
    do: 'append',
    type: 'task.resumed',
    hop: next.hop,
    cyclesLeft: next.cyclesLeft,
    data: { ...(answer === undefined ? {} : { answer }), limits, next },
  };
}

/** Only a person who resumes may loosen a bound. */
function extended(limits: Limits, more: Partial<DataOf<'task.resume'>>): Limits {
  return {
    ...limits,
    cycles: limits.cycles + (more.cycles ?? 0),
    steps: limits.steps + (more.steps ?? 0),
    budgetMicroDollars: limits.budgetMicroDollars + (more.budgetMicroDollars ?? 0),
    deadlineMs: more.deadlineMs ?? limits.deadlineMs,
  };
}
