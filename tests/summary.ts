import type { Tally } from './tally.ts';

/** A check that is no test: types, lint, formatting, boundaries. */
export interface Check {
  name: string;
  passes: boolean;
  seconds: number;
}

export interface Summary {
  lines: string[];
  exitCode: 0 | 1;
}

const slowFileSeconds = 20;

/**
 * All that was found, in one place: what failed, what was skipped and why, and as the last line alone
 * `N passed, N failed, N skipped`, where a check counts as one. No tally, or one without a test, is a failure.
 */
export function summarize(checks: Check[], tally: Tally | undefined, seconds: number): Summary {
  const failed = checks.filter((check) => !check.passes).map((check) => `${check.name} (see above)`);
  if (!tally) failed.push('the tests did not run to their end (see above)');
  else {
    failed.push(...tally.failed);
    if (tally.passed + tally.failed.length === 0) failed.push('no test was run');
    for (const { title, reason } of tally.skipped)
      if (reason === undefined)
        failed.push(`${title}: skipped without a reason; say it with ctx.skip('reason')`);
  }
  const skipped = (tally?.skipped ?? []).filter((one) => one.reason !== undefined);
  const slow = (tally?.files ?? []).filter((file) => file.seconds > slowFileSeconds);
  const passed = checks.length - checks.filter((check) => !check.passes).length + (tally?.passed ?? 0);
  return {
    lines: [
      '',
      `── Summary, after ${clock(seconds)} ──`,
      checks.map((check) => `${check.name} ${check.passes ? 'passed' : 'FAILED'}`).join(' · '),
      ...section(
        'Slow test files',
        slow.map((file) => `${file.seconds.toFixed(0)} s ${file.path}`),
      ),
      ...section(
        'Skipped',
        skipped.map((one) => `${one.title}: ${one.reason}`),
      ),
      ...section('Failed', failed),
      `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`,
    ],
    exitCode: failed.length > 0 ? 1 : 0,
  };
}

const section = (heading: string, items: string[]): string[] =>
  items.length === 0 ? [] : [`${heading}:`, ...items.map((item) => `  ${item}`)];

const clock = (seconds: number): string =>
  seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
