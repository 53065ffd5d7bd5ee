import { deriveId } from '../../schemas/envelope.ts';
import type { Finding, Spend, TestReport, Work } from '../../schemas/work.ts';
import { addSpend } from '../../schemas/work.ts';
import type { Task } from './task.ts';

export interface NextWork {
  role: Work['role'];
  itemIndex: number;
  goal: string;
  acceptance?: string;
  hop: number;
  cyclesLeft: number;
  findings?: Finding[];
  fromCommit: string;
  notes?: string[];
  lastTests?: TestReport;
  /** What the run that just ended cost; the next one starts from the sum. */
  spend: Spend;
}

/** Names the next run of a task; its id follows from how many there were, so that every process names the same. */
export function nextWork(task: Task, next: NextWork, itemCount = task.items.length): Work {
  return {
    runId: deriveId(task.taskId, 'run', task.runs),
    role: next.role,
    itemIndex: next.itemIndex,
    itemCount,
    goal: next.goal,
    ...(next.acceptance ? { acceptance: next.acceptance } : {}),
    hop: next.hop,
    cyclesLeft: next.cyclesLeft,
    findings: next.findings ?? [],
    notes: next.notes ?? task.notes,
    fromCommit: next.fromCommit,
    repository: task.repository!,
    ...(task.test ? { test: task.test } : {}),
    ...(task.setup ? { setup: task.setup } : {}),
    baselineKnown: task.baselineKnown || next.fromCommit !== task.repository!.baseCommit,
    goalIsTests: task.goalIsTests,
    ...(next.lastTests ? { lastTests: next.lastTests } : {}),
    ...(task.model ? { model: task.model } : {}),
    limits: task.limits!,
    spent: addSpend(task.spent, next.spend),
  };
}
