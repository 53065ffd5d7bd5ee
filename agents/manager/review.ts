import { branchOf } from '../../schemas/branch.ts';
import type { Decision } from '../../schemas/service.ts';
import type { Finding } from '../../schemas/work.ts';
import type { Conclusion } from './conclusion.ts';
import { nextWork } from './next.ts';
import { boundsOf, pause, type Lack } from './pause.ts';
import { testsFail } from './red-tests.ts';
import type { Task } from './task.ts';
import { revise } from './revise.ts';

/** What a review decides. Red tests override an approval, and blocking findings decide rather than the verdict. */
export function reviewed(task: Task, run: Conclusion): Decision {
  const { result } = run;
  if (result?.role !== 'reviewer') {
    return pause(task, 'failure', 'the reviewer ended without a review', { spend: run.spend });
  }
  const { findings } = result;
  const blocking = findings.filter((finding) => finding.severity === 'blocking');
  const halt = (kind: 'review' | 'bound', reason: string, lack: Lack = {}) =>
    pause(task, kind, reason, { spend: run.spend, findings, commit: task.work!.fromCommit, lack });
  if (result.verdict === 'blocked') return halt('review', `the reviewer is blocked: ${result.summary}`);
  // An approval that lists a blocking finding is no approval; changes asked for without one are advice.
  if (blocking.length === 0) return approved(task, run, findings);

  const again = blocking.find((finding) => task.toldFindings.includes(finding.id));
  const cameBack = again ? `a finding came back: ${again.id}` : '';
  const lack = lackForChanges(task);
  if (lack) {
    const bound = lack.cycles ? 'no review cycle is left' : 'no hop is left for the changes and their review';
    return halt('bound', cameBack === '' ? bound : `${cameBack}, and ${bound}`, lack);
  }
  if (again) return halt('review', cameBack);
  return revision(task, run, blocking);
}

/** What is lacking for the changes that a review asks for and the review of them; undefined when nothing is. */
function lackForChanges(task: Task): Lack | undefined {
  const work = task.work!;
  const hops = Math.max(0, work.hop + 2 - task.limits!.hops);
  const cycles = work.cyclesLeft === 0 ? 1 : 0;
  return hops + cycles > 0 ? { cycles, hops } : undefined;
}

function revision(task: Task, run: Conclusion, findings: Finding[]): Decision {
  const work = task.work!;
  const item = task.items[task.itemIndex]!;
  const next = nextWork(task, {
    role: item.role,
    itemIndex: task.itemIndex,
    goal: item.goal,
    acceptance: item.acceptance,
    hop: work.hop + 1,
    cyclesLeft: work.cyclesLeft - 1,
    findings,
    fromCommit: work.fromCommit,
    spend: run.spend,
  });
  return revise(run, 'review', findings, work.fromCommit, next);
}

/** The next work item, with hops and cycles of its own, or the end. */
function approved(task: Task, run: Conclusion, advice: Finding[]): Decision {
  const item = task.items[task.itemIndex + 1];
  const tests = task.tests ? { tests: task.tests } : {};
  if (!item) {
    if (task.tests && !task.tests.testsPass) {
      const finding: Finding = {
        id: testsFail,
        severity: 'blocking',
        evidence: task.tests.output || 'the tests fail',
      };
      const reason = 'the tests fail, whatever the review says';
      return pause(task, 'failure', reason, { spend: run.spend, findings: [finding], commit: task.commit });
    }
    const branch = branchOf(task.taskId);
    return {
      do: 'append',
      type: 'task.completed',
      ...boundsOf(task),
      data: { commit: task.commit, branch, ...tests, findings: advice, spend: run.spend },
    };
  }
  const next = nextWork(
    { ...task, limits: { ...task.limits!, ...task.itemBounds } },
    {
      role: item.role,
      itemIndex: task.itemIndex + 1,
      goal: item.goal,
      acceptance: item.acceptance,
      hop: 0,
      cyclesLeft: task.itemBounds.cycles,
      fromCommit: task.commit,
      spend: run.spend,
    },
  );
  return {
    do: 'append',
    type: 'task.handed_over',
    hop: next.hop,
    cyclesLeft: next.cyclesLeft,
    data: { from: run.runId, commit: task.commit, ...tests, spend: run.spend, next },
  };
}
