import type { Decision } from '../../schemas/service.ts';
import type { Conclusion } from './conclusion.ts';
import { nextWork } from './next.ts';
import { pause } from './pause.ts';
import type { Task } from './task.ts';

/** What a plan starts: its first item, or the wait for a person's approval. */
export function planned(task: Task, run: Conclusion): Decision {
  if (run.result?.role !== 'planner') return pause(task, 'failure', 'the planner ended without a plan', { spend: run.spend });
  const { items } = run.result;
  const first = items[0]!;
  const limits = task.limits!;
  const next = nextWork(
    task,
    {
      role: first.role,
      itemIndex: 0,
      goal: first.goal,
      acceptance: first.acceptance,
      hop: 0,
      cyclesLeft: limits.cycles,
      fromCommit: task.commit,
      spend: run.spend,
    },
    items.length,
  );
  return {
    do: 'append',
    type: 'task.planned',
    hop: 0,
    cyclesLeft: limits.cycles,
    data: { items, spend: run.spend, ...(task.approvePlan ? {} : { next }) },
  };
}
