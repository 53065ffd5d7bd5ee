import type { DataOf } from '../../schemas/catalogue.ts';
import type { Decision } from '../../schemas/service.ts';
import { addSpend, type Finding, type TestReport, type Work } from '../../schemas/work.ts';
import { isBudgetUsedUp } from './budget.ts';
import { nextWork } from './next.ts';
import { pause, type PauseKind, type PauseMore } from './pause.ts';
import { planned } from './plan.ts';
import { reviewed } from './review.ts';
import { redTests } from './red-tests.ts';
import type { Task } from './task.ts';

export type Conclusion = DataOf<'run.concluded'>;

/** What the end of the current run means for its task, within budget and deadline. */
export function concluded(task: Task, run: Conclusion, atMs: number): Decision {
  const decision = meaningOf(task, run);
  if (decision.do !== 'append') return decision;
  if (decision.type !== 'task.handed_over' && decision.type !== 'task.revision_requested') return decision;
  // Bounds are checked before the next run is named; what it would have been is kept for whoever resumes.
  const data = decision.data as { commit: string; next: Work; findings?: Finding[]; tests?: TestReport };
  const kept: PauseMore = data.findings ? { findings: data.findings } : { next: data.next };
  const { commit, tests = run.tests } = data;
  const more = { ...kept, spend: run.spend, commit, ...(tests ? { tests } : {}) };
  const spent = addSpend(task.spent, run.spend).costMicroDollars;
  const { budgetMicroDollars } = task.limits!;
  if (isBudgetUsedUp(spent, budgetMicroDollars)) {
    const lack = { overBudget: spent - budgetMicroDollars };
    return pause(task, 'budget', 'the budget is used up before the next run', { ...more, lack });
  }
  if (atMs >= task.deadlineAtMs) {
    return pause(task, 'deadline', 'the task has had its time', { ...more, lack: { deadline: '1h' } });
  }
  return decision;
}

function meaningOf(task: Task, run: Conclusion): Decision {
  switch (run.ending) {
    case 'done':
      return doneWell(task, run);
    case 'red':
      return isWorker(task) ? notGreen(task, run) : stop(task, run, 'failure', run.reason);
    case 'green_already':
      return stop(task, run, 'question', `nothing to do: ${run.reason}. Say what should change`);
    case 'steps':
      return stop(task, run, 'bound', run.reason, { lack: { steps: 20 } });
    case 'budget': {
      const over = addSpend(task.spent, run.spend).costMicroDollars - task.limits!.budgetMicroDollars;
      return stop(task, run, 'budget', run.reason, { lack: { overBudget: Math.max(0, over) } });
    }
    case 'model':
      return stop(task, run, 'model', run.reason);
    case 'indeterminate':
      return stop(task, run, 'indeterminate', run.reason);
    // A run that broke is no approval and costs no review cycle.
    case 'stopped':
    case 'schema':
    case 'setup':
    case 'failed':
      return stop(task, run, 'failure', run.reason);
  }
}

function doneWell(task: Task, run: Conclusion): Decision {
  const { role } = task.work!;
  if (role === 'planner') return planned(task, run);
  if (role === 'reviewer') return reviewed(task, run);
  // The harness's tests decide, whatever the agent says; tests that did not run decide nothing.
  if (run.tests && !run.tests.testsPass) return notGreen(task, run);
  if (task.test && !run.tests) return stop(task, run, 'failure', `the ${role} ended without a test run`);
  const lost = role === 'tester' ? undefined : lostTests(task, run);
  if (lost) return stop(task, run, 'review', lost);
  return toReview(task, run);
}

/** Green by fewer tests than there were is not green until a person has looked: a changed script can leave tests out. */
function lostTests(task: Task, run: Conclusion): string | undefined {
  const before = testCount(run.baseline ?? task.tests);
  if (before === undefined || !run.tests) return undefined;
  const now = testCount(run.tests);
  if (now !== undefined && now >= before) return undefined;
  return `the tests pass, but fewer were counted than before: ${now ?? 'none'} instead of ${before}`;
}

function testCount(report: Conclusion['tests']): number | undefined {
  if (!report || report.passed === null || report.failed === null) return undefined;
  return report.passed + report.failed;
}

/** Red tests cost a cycle, except where a tester shows a fault that a later item mends. */
function notGreen(task: Task, run: Conclusion): Decision {
  const isForLater =
    task.work!.role === 'tester' &&
    task.items.some((item, index) => index > task.itemIndex && item.role === 'coder');
  return isForLater && run.tests ? toReview(task, run) : redTests(task, run);
}

function toReview(task: Task, run: Conclusion): Decision {
  const work = task.work!;
  if (run.commit === task.reviewedCommit) {
    const reason = 'the changes asked for were not made: the commit is the one that was reviewed';
    return stop(task, run, 'review', reason, { findings: work.findings });
  }
  if (run.commit === work.repository.baseCommit) {
    return stop(task, run, 'failure', `the ${work.role} ended without changing anything`);
  }
  const next = nextWork(
    { ...task, baselineKnown: true },
    {
      role: 'reviewer',
      itemIndex: task.itemIndex,
      goal: work.goal,
      acceptance: work.acceptance,
      hop: work.hop + 1,
      cyclesLeft: work.cyclesLeft,
      findings: work.findings,
      fromCommit: run.commit,
      lastTests: run.tests,
      spend: run.spend,
    },
  );
  if (next.hop > task.limits!.hops) {
    return stop(task, run, 'bound', 'no hop is left for the review', { next, lack: { hops: 1 } });
  }
  const tests = run.tests ? { tests: run.tests } : {};
  return {
    do: 'append',
    type: 'task.handed_over',
    hop: next.hop,
    cyclesLeft: next.cyclesLeft,
    data: { from: run.runId, commit: run.commit, ...tests, spend: run.spend, next },
  };
}

/** Coders and testers work on items; planners and reviewers do not. */
function isWorker(task: Task): boolean {
  return task.work!.role === 'coder' || task.work!.role === 'tester';
}

function stop(task: Task, run: Conclusion, kind: PauseKind, reason: string, more: PauseMore = {}): Decision {
  // Only workers leave commits behind.
  const commit = isWorker(task) && run.commit !== '' ? { commit: run.commit } : {};
  const tests = run.tests ? { tests: run.tests } : {};
  return pause(task, kind, reason, { ...commit, ...tests, ...more, spend: run.spend });
}
