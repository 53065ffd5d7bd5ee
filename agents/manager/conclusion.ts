import type { DataOf } from '../../schemas/catalogue.ts';
import type { Decision } from '../../schemas/service.ts';
import type { Finding } from '../../schemas/work.ts';
import { nextWork } from './next.ts';
import { pause } from './pause.ts';
import { planned } from './plan.ts';
import { reviewed } from './review.ts';
import type { PauseKind, Task } from './task.ts';

export type Conclusion = DataOf<'run.concluded'>;

/** What the end of the current run means for its task. */
export function concluded(task: Task, run: Conclusion): Decision {
  switch (run.ending) {
    case 'done':
      return doneWell(task, run);
    case 'red':
      return redTests(task, run);
    case 'green_already':
      return stop(task, run, 'question', `nothing to do: ${run.reason}. Say what should change`);
    case 'steps':
      return stop(task, run, 'bound', run.reason);
    case 'budget':
      return stop(task, run, 'budget', run.reason);
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
  const role = task.work!.role;
  if (role === 'planner') return planned(task, run);
  if (role === 'reviewer') return reviewed(task, run);
  // The harness's tests decide, whatever the agent says.
  if (run.tests && !run.tests.testsPass) return redTests(task, run);
  if (run.commit === task.reviewedCommit) {
    return stop(task, run, 'review', 'the changes asked for were not made: the commit is the one that was reviewed', task.work!.findings);
  }
  if (run.commit === task.work!.repository.baseCommit) return stop(task, run, 'failure', `the ${role} ended without changing anything`);
  if (task.work!.hop >= task.limits!.hops) return stop(task, run, 'bound', 'no hop is left for the review');
  const next = nextWork(
    { ...task, baselineKnown: true },
    {
      role: 'reviewer',
      itemIndex: task.itemIndex,
      goal: task.work!.goal,
      acceptance: task.work!.acceptance,
      hop: task.work!.hop + 1,
      cyclesLeft: task.work!.cyclesLeft,
      findings: task.work!.findings,
      fromCommit: run.commit,
      lastTests: run.tests,
      spend: run.spend,
    },
  );
  return {
    do: 'append',
    type: 'task.handed_over',
    hop: next.hop,
    cyclesLeft: next.cyclesLeft,
    data: { from: run.runId, commit: run.commit, ...(run.tests ? { tests: run.tests } : {}), spend: run.spend, next },
  };
}

/** A run that ends red costs a review cycle, with the output as its finding. */
function redTests(task: Task, run: Conclusion): Decision {
  const work = task.work!;
  const finding: Finding = {
    id: 'tests-fail',
    severity: 'blocking',
    evidence: run.tests ? run.tests.output.slice(-4000) || 'the tests fail' : run.reason,
  };
  if (work.cyclesLeft === 0) return stop(task, run, 'bound', `the tests still fail and no review cycle is left: ${run.reason}`, [finding]);
  const next = nextWork(task, {
    role: work.role,
    itemIndex: task.itemIndex,
    goal: work.goal,
    acceptance: work.acceptance,
    hop: work.hop,
    cyclesLeft: work.cyclesLeft - 1,
    findings: [finding],
    fromCommit: run.commit,
    spend: run.spend,
  });
  return {
    do: 'append',
    type: 'task.revision_requested',
    hop: next.hop,
    cyclesLeft: next.cyclesLeft,
    data: {
      from: run.runId,
      why: 'red tests',
      findings: [finding],
      cyclesLeft: next.cyclesLeft,
      commit: run.commit,
      spend: run.spend,
      next: { ...next, baselineKnown: true },
    },
  };
}

function stop(task: Task, run: Conclusion, kind: PauseKind, reason: string, findings: Finding[] = []): Decision {
  return pause(task, kind, reason, { spend: run.spend, findings });
}
