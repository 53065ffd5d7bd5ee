import type { Decision } from '../../schemas/service.ts';
import type { Conclusion } from './conclusion.ts';
import { nextWork } from './next.ts';
import { pause } from './pause.ts';
import type { Task } from './task.ts';

/** What a review decides. Red tests override an approval, and blocking findings decide rather than the verdict. */
export function reviewed(task: Task, run: Conclusion): Decision {
  const { result } = run;
  if (result?.role !== 'reviewer') return pause(task, 'failure', 'the reviewer ended without a review', { spend: run.spend });
  const blocking = result.findings.filter((finding) => finding.severity === 'blocking');
  const halt = (kind: 'review' | 'bound' | 'failure', reason: string) =>
    pause(task, kind, reason, { spend: run.spend, findings: result.findings });
  if (task.tests && !task.tests.testsPass) return halt('failure', 'the tests fail, whatever the review says');
  if (result.verdict === 'blocked') return halt('review', `the reviewer is blocked: ${result.summary}`);
  // An approval that lists a blocking finding is no approval; changes asked for without one are advice.
  if (blocking.length === 0) return approved(task, run, result.findings);
  const work = task.work!;
  const again = blocking.find((finding) => task.openFindings.includes(finding.id));
  if (again) return halt('review', `a finding came back: ${again.id}`);
  if (work.cyclesLeft === 0) return halt('bound', 'no review cycle is left');
  if (work.hop >= task.limits!.hops) return halt('bound', 'no hop is left for the changes');
  const item = task.items[task.itemIndex]!;
  const next = nextWork(task, {
    role: item.role,
    itemIndex: task.itemIndex,
    goal: item.goal,
    acceptance: item.acceptance,
    hop: work.hop + 1,
    cyclesLeft: work.cyclesLeft - 1,
    findings: blocking,
    fromCommit: work.fromCommit,
    spend: run.spend,
  });
  return {
    do: 'append',
    type: 'task.revision_requested',
    hop: next.hop,
    cyclesLeft: next.cyclesLeft,
    data: {
      from: run.runId,
      why: 'review',
      findings: blocking,
      cyclesLeft: next.cyclesLeft,
      commit: work.fromCommit,
      spend: run.spend,
      next,
    },
  };
}

/** The next work item, with hops and cycles of its own, or the end. */
function approved(task: Task, run: Conclusion, advice: NonNullable<Extract<Conclusion['result'], { role: 'reviewer' }>>['findings']): Decision {
  const item = task.items[task.itemIndex + 1];
  if (!item) {
    return {
      do: 'append',
      type: 'task.completed',
      data: {
        commit: task.commit,
        branch: `switchyard/${task.taskId}`,
        ...(task.tests ? { tests: task.tests } : {}),
        findings: advice,
        spend: run.spend,
      },
    };
  }
  const next = nextWork(task, {
    role: item.role,
    itemIndex: task.itemIndex + 1,
    goal: item.goal,
    acceptance: item.acceptance,
    hop: 0,
    cyclesLeft: task.limits!.cycles,
    fromCommit: task.commit,
    spend: run.spend,
  });
  return {
    do: 'append',
    type: 'task.handed_over',
    hop: next.hop,
    cyclesLeft: next.cyclesLeft,
    data: { from: run.runId, commit: task.commit, ...(task.tests ? { tests: task.tests } : {}), spend: run.spend, next },
  };
}
