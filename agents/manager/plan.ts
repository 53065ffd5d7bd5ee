import type { Decision } from '../../schemas/service.ts';
import type { Conclusion } from './conclusion.ts';
import { nextWork } from './next.ts';
import { pause } from './pause.ts';
import type { Task } from './task.ts';

/** What a plan starts: its first item, or the wait for a person's approval. */
export function planned(task: Task, run: Conclusion): Decision {
  const items = run.result?.role === 'planner' ? run.result.items : [];
  const first = items[0];
  if (!first) return pause(task, 'failure', 'the planner ended without a plan', { spend: run.spend });
  const { cycles } = task.limits!;
  const next = nextWork(
    task,
    {
      role: first.role,
      itemIndex: 0,
      goal: first.goal,
      acceptance: first.acceptance,
      hop: 0,
      cyclesLeft: cycles,
      fromCommit: task.commit,
      spend: run.spend,
    },
    items.length,
  );
  return {
    do: 'append',
    type: 'task.planned',
    hop: 0,
    cyclesLeft: cycles,
    data: { items, spend: run.spend, ...(task.approvePlan ? {} : { next }) },
  };
}
