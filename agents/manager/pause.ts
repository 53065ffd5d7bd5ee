import type { Decision } from '../../schemas/service.ts';
import { noSpend, type Finding, type Spend } from '../../schemas/work.ts';
import type { PauseKind, Task } from './task.ts';

/** A person is needed: why, and the exact command that lets the task go on. */
export function pause(task: Task, kind: PauseKind, reason: string, more: { spend?: Spend; findings?: Finding[] } = {}): Decision {
  return {
    do: 'append',
    type: 'task.paused',
    data: {
      kind,
      reason,
      mend: mendOf(task, kind),
      ...(task.work ? { runId: task.work.runId } : {}),
      findings: more.findings ?? [],
      spend: more.spend ?? noSpend,
    },
  };
}

/** The command that lets a paused task go on. */
export function mendOf(task: Pick<Task, 'taskId'>, kind: PauseKind): string {
  const id = task.taskId;
  switch (kind) {
    case 'bound':
      return `./switchyard resume ${id} --cycles 1 --hops 2 --steps 20`;
    case 'budget':
      return `./switchyard resume ${id} --budget 1.00`;
    case 'deadline':
      return `./switchyard resume ${id} --deadline 1h`;
    case 'question':
      return `./switchyard answer ${id} "..."`;
    case 'approval':
    case 'indeterminate':
      return `./switchyard approve ${id}`;
    case 'review':
      return `./switchyard answer ${id} "what to do about the findings"`;
    case 'model':
      return `./switchyard resume ${id} --model NAME`;
    case 'dead_letter':
    case 'failure':
    case 'asked':
      return `./switchyard resume ${id}`;
  }
}
