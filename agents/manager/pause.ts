import type { DataOf } from '../../schemas/catalogue.ts';
import type { Decision } from '../../schemas/service.ts';
import { noSpend, type Finding, type Spend, type TestReport, type Work } from '../../schemas/work.ts';
import { failureOf } from './fail.ts';
import type { Task } from './task.ts';

export type PauseKind = DataOf<'task.paused'>['kind'];

/** What a pause records, so that resuming goes on where the work stands. */
export type Paused = Omit<DataOf<'task.paused'>, 'given'>;

/** Why a task waits for a person, and what it left behind. */
export interface Pause {
  kind: PauseKind;
  reason: string;
  /** The command that lets it go on. */
  mend: string;
  /** Time that passes from here on is not the task's. */
  sinceMs: number;
  findings: Finding[];
  /** The last commit of the run that ended. */
  commit?: string;
  /** The run that would have started, when the pause fell between two runs. */
  next?: Work;
}

/** What a task lacks to go on; each becomes an option of the command that resumes it. */
export interface Lack {
  cycles?: number;
  hops?: number;
  steps?: number;
  /** Micro-dollars by which the budget is exceeded; what is added is a dollar more. */
  overBudget?: number;
  deadline?: string;
}

export interface PauseMore {
  spend?: Spend;
  findings?: Finding[];
  commit?: string;
  tests?: TestReport;
  next?: Work;
  lack?: Lack;
}

/**
 * A person is needed, and no run goes on: why, and the exact command that lets the task go on. Where nobody is there it
 * ends here.
 */
export function pause(task: Task, kind: PauseKind, reason: string, more: PauseMore = {}): Decision {
  if (task.isUnattended) {
    const data = { ...failureOf(task, kind, reason, more) };
    return { do: 'append', type: 'task.failed', data, ...boundsOf(task) };
  }
  const data: Paused = {
    kind,
    reason,
    mend: mendOf(task.taskId, kind, more.lack ?? {}),
    findings: more.findings ?? [],
    spend: more.spend ?? noSpend,
    ...(more.commit ? { commit: more.commit } : {}),
    ...(more.next ? { next: more.next } : {}),
  };
  return { do: 'append', type: 'task.paused', data: { ...data }, ...boundsOf(task) };
}

/** A person is needed, and the current run is stopped. */
export function interrupt(task: Task, kind: PauseKind, reason: string, lack: Lack = {}): Decision {
  const paused = pause(task, kind, reason, { lack });
  if (paused.do !== 'append' || !task.work) return paused;
  return { ...paused, data: { ...paused.data, runId: task.work.runId } };
}

/** A resume that brings too little is answered by the pause it meets, with a command that brings all that is lacking. */
export function stillPaused(task: Task, held: Pause, lacks: { reason: string; lack: Lack }[]): Decision {
  const lack: Lack = Object.assign({}, ...lacks.map((one) => one.lack));
  const reason = lacks.map((one) => one.reason).join('; ');
  return pausedAgain(task, held, { kind: held.kind, reason, mend: resumeWith(task.taskId, lack) });
}

/** A resume that names a model there is not starts nothing: the task stays paused, with all that is there to choose from. */
export function pausedForModel(task: Task, held: Pause, why: string, first: string | undefined): Decision {
  const mend = `./switchyard resume ${task.taskId}${first === undefined ? '' : ` --model ${first}`}`;
  return pausedAgain(task, held, { kind: 'model', reason: `the model ${why}`, mend });
}

/** What the pause before had left behind is left behind as it was. */
function pausedAgain(task: Task, held: Pause, why: Pick<Paused, 'kind' | 'reason' | 'mend'>): Decision {
  const data: Paused = {
    ...why,
    findings: held.findings,
    spend: noSpend,
    ...(held.commit ? { commit: held.commit } : {}),
    ...(held.next ? { next: held.next } : {}),
  };
  return { do: 'append', type: 'task.paused', data: { ...data }, ...boundsOf(task) };
}

/** What travels in the envelope of a task's event. */
export function boundsOf(task: Task): { hop?: number; cyclesLeft?: number } {
  return task.work ? { hop: task.work.hop, cyclesLeft: task.work.cyclesLeft } : {};
}

/** The command that lets a paused task go on. */
export function mendOf(taskId: string, kind: PauseKind, lack: Lack): string {
  switch (kind) {
    case 'bound':
    case 'budget':
    case 'deadline':
    case 'dead_letter':
    case 'failure':
    case 'asked':
    // The router looks anew, which is all that a server that was busy or down needs; there may be no other model.
    case 'model':
      return resumeWith(taskId, lack);
    case 'question':
      return `./switchyard answer ${taskId} "..."`;
    case 'approval':
    case 'indeterminate':
      return `./switchyard approve ${taskId}`;
    case 'review':
      return `./switchyard answer ${taskId} "what to do about the findings"`;
  }
}

function resumeWith(taskId: string, lack: Lack): string {
  const options = [
    lack.cycles ? `--cycles ${lack.cycles}` : '',
    lack.hops ? `--hops ${lack.hops}` : '',
    lack.steps ? `--steps ${lack.steps}` : '',
    lack.overBudget === undefined ? '' : `--budget ${(lack.overBudget / 1_000_000 + 1).toFixed(2)}`,
    lack.deadline ? `--deadline ${lack.deadline}` : '',
  ];
  return [`./switchyard resume ${taskId}`, ...options.filter((option) => option !== '')].join(' ');
}
