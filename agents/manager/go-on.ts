import type { NextWork } from './next.ts';
import type { Pause } from './pause.ts';
import type { Task } from './task.ts';

/** What a resumed task does next, and what it needs for that. */
export interface GoOn {
  work: Omit<NextWork, 'cyclesLeft' | 'spend'>;
  /** Review cycles left after it; below 0 when one is lacking. What a person adds is not counted yet. */
  cyclesLeft: number;
  /** The hop that has to be within bounds for it to end in a review. */
  needsHop: number;
}

/** Finds what a pause left to be done. `lastCommit` is where the run ended that the pause stopped. */
export function goesOnWith(task: Task, held: Pause, asked: string, lastCommit: string | undefined): GoOn {
  if (held.kind === 'approval' && asked === 'task.approve') return firstItem(task);
  if (held.next) return named(held.next);
  if (held.findings.some((finding) => finding.severity === 'blocking')) return changes(task, held, asked);
  return again(task, held, lastCommit);
}

/** A plan that was approved begins. */
function firstItem(task: Task): GoOn {
  const { role, goal, acceptance } = task.items[0]!;
  return {
    work: { role, itemIndex: 0, goal, acceptance, hop: 0, fromCommit: task.commit },
    cyclesLeft: task.limits!.cycles,
    needsHop: 0,
  };
}

/** The pause fell between two runs: the second begins. */
function named(next: NonNullable<Pause['next']>): GoOn {
  const { role, itemIndex, goal, acceptance, hop, cyclesLeft, findings, fromCommit, lastTests } = next;
  return {
    work: { role, itemIndex, goal, acceptance, hop, findings, fromCommit, lastTests },
    cyclesLeft,
    needsHop: hop,
  };
}

/**
 * Findings are left to be mended by whoever does the work. A resume spends the cycle, and the hop from the reviewer,
 * that the manager would have spent; an answer is the person's own wish and costs neither.
 */
function changes(task: Task, held: Pause, asked: string): GoOn {
  const stopped = task.work!;
  const { role, goal, acceptance } = task.items[stopped.itemIndex]!;
  const isAnswered = asked === 'task.answer';
  const hop = stopped.hop + (stopped.role === 'reviewer' && !isAnswered ? 1 : 0);
  const findings = held.findings.filter((finding) => finding.severity === 'blocking');
  const fromCommit = held.commit ?? stopped.fromCommit;
  return {
    work: { role, itemIndex: stopped.itemIndex, goal, acceptance, hop, findings, fromCommit },
    cyclesLeft: stopped.cyclesLeft - (isAnswered ? 0 : 1),
    needsHop: hop + 1,
  };
}

/** The same work again, from the last commit. */
function again(task: Task, held: Pause, lastCommit: string | undefined): GoOn {
  const { role, itemIndex, goal, acceptance, hop, cyclesLeft, findings, fromCommit, lastTests } = task.work!;
  const isWorker = role === 'coder' || role === 'tester';
  const from = isWorker ? held.commit || lastCommit || fromCommit : fromCommit;
  return {
    work: { role, itemIndex, goal, acceptance, hop, findings, fromCommit: from, lastTests },
    cyclesLeft,
    needsHop: hop,
  };
}
