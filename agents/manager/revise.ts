import type { Decision } from '../../schemas/service.ts';
import type { Finding, Work } from '../../schemas/work.ts';
import type { Conclusion } from './conclusion.ts';

/** Another review cycle begins: why, with what to change, and the work that changes it from `commit` on. */
export function revise(
  run: Conclusion,
  why: 'review' | 'red tests',
  findings: Finding[],
  commit: string,
  next: Work,
): Decision {
  const { hop, cyclesLeft } = next;
  const data = { from: run.runId, why, findings, cyclesLeft, commit, spend: run.spend, next };
  return { do: 'append', type: 'task.revision_requested', hop, cyclesLeft, data };
}
