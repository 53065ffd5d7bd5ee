import type { Decision } from '../../schemas/service.ts';
import type { Finding } from '../../schemas/work.ts';
import type { Conclusion } from './conclusion.ts';
import { nextWork } from './next.ts';
import { pause } from './pause.ts';
import type { Task } from './task.ts';
import { revise } from './revise.ts';

/** The finding that red tests are; only the harness reports it. */
export const testsFail = 'tests-fail';

/** A run that ends red costs a review cycle, with the output as its finding, and stops when nothing was changed. */
export function redTests(task: Task, run: Conclusion): Decision {
  const work = task.work!;
  const finding: Finding = {
    id: testsFail,
    severity: 'blocking',
    evidence: failurePart(run.tests?.output ?? '') || run.reason || 'the tests fail',
  };
  const reason = run.reason || 'red';
  // What the last review asked for is still to be done, once the tests pass again.
  const findings = [finding, ...work.findings.filter((one) => one.id !== testsFail)];
  const more = {
    spend: run.spend,
    findings,
    ...(run.commit ? { commit: run.commit } : {}),
    ...(run.tests ? { tests: run.tests } : {}),
  };
  const wasTold = work.findings.some((one) => one.id === testsFail) && run.commit === work.fromCommit;
  if (wasTold || run.commit === task.reviewedCommit) {
    return pause(task, 'review', `the tests still fail and nothing was changed: ${reason}`, more);
  }
  if (work.cyclesLeft === 0) {
    const why = `the tests still fail and no review cycle is left: ${reason}`;
    return pause(task, 'bound', why, { ...more, lack: { cycles: 1 } });
  }
  const next = nextWork(
    { ...task, baselineKnown: true },
    {
      role: work.role,
      itemIndex: task.itemIndex,
      goal: work.goal,
      acceptance: work.acceptance,
      hop: work.hop,
      cyclesLeft: work.cyclesLeft - 1,
      findings,
      fromCommit: run.commit,
      spend: run.spend,
    },
  );
  return revise(run, 'red tests', findings, run.commit, next);
}

const mostCharacters = 4000;
/** The heading under which runners list what failed, mostly at their end. */
const heading =
  /^.*(?:failing tests:|Failed Tests \d|=+ FAILURES =+|=+ ERRORS =+|Summary of all failing tests|^failures:|^ {2}\d+ failing\b).*$/im;
/** Where there is no list: the first line that says that something failed. */
const firstFailure =
  /^\s*(?:not ok \d|--- FAIL|\w+_test\.go:\d+:|FAIL\b|✖|✗|×|\d+ failing\b|AssertionError\b)/m;

/** The part of the tests' output that says what failed: from there on, or the end where no line tells. */
export function failurePart(output: string): string {
  const text = output.trim();
  const start = heading.exec(text)?.index ?? firstFailure.exec(text)?.index;
  if (start === undefined) return text.slice(-mostCharacters);
  const part = text.slice(start).replace(/^\n+/, '');
  if (part.length <= mostCharacters) return part;
  // The first failure in full, and the summary at the end.
  const [head, tail] = [part.slice(0, mostCharacters - 1000), part.slice(-1000)];
  return `${head}\n[... ${part.length - mostCharacters} characters left out ...]\n${tail}`;
}
