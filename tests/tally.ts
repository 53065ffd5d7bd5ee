import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** What a run of the tests came to. */
export interface Tally {
  passed: number;
  /** Titles: of tests, of files that could not be read, of errors that no test caught. */
  failed: string[];
  skipped: { title: string; reason: string | undefined }[];
  /** Seconds of each file, the slowest first. */
  files: { path: string; seconds: number }[];
}

/** `ctx.skip('reason')`, or `(skipped: reason)` at the end of the title of a test that was never started. */
function skipOf(title: string, test: TestCase): Tally['skipped'][number] {
  const result = test.result();
  const said = /^(.*?) \(skipped: (.+)\)$/.exec(title);
  if (result.state === 'skipped' && result.note) return { title, reason: result.note };
  return said ? { title: said[1]!, reason: said[2]! } : { title, reason: undefined };
}

/** Counts what vitest reports; `uncaught` are the errors outside of any test. */
export function tallyOf(modules: readonly TestModule[], uncaught: readonly { message: string }[]): Tally {
  const tally: Tally = { passed: 0, failed: [], skipped: [], files: [] };
  for (const module of modules) {
    const path = module.relativeModuleId;
    tally.files.push({ path, seconds: module.diagnostic().duration / 1000 });
    for (const error of module.errors()) tally.failed.push(`${path}: ${error.message}`);
    for (const suite of module.children.allSuites())
      for (const error of suite.errors()) tally.failed.push(`${path} > ${suite.fullName}: ${error.message}`);
    for (const test of module.children.allTests()) {
      const title = `${path} > ${test.fullName}`;
      const { state } = test.result();
      if (state === 'passed') tally.passed += 1;
      else if (state === 'skipped') tally.skipped.push(skipOf(title, test));
      // A test that was still to run when the run ended has not passed.
      else tally.failed.push(title);
    }
  }
  for (const error of uncaught) tally.failed.push(`an error that no test caught: ${error.message}`);
  tally.files.sort((left, right) => right.seconds - left.seconds);
  return tally;
}

/** A reporter for vitest that sends the tally to the process that started it. */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], uncaught: readonly { message: string }[]): void {
    process.send?.(tallyOf(modules, uncaught));
  }
}
