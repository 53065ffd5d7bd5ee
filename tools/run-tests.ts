import Type from 'typebox';
import { denied, failed } from './outcome.ts';
import { withoutColours } from './output.ts';
import { runProgram } from './program.ts';
import { restoreProtected } from './protected-files.ts';
import { readTestCounts, type TestCounts } from './test-counts.ts';
import type { Tool } from './tool.ts';

export const runTests: Tool = {
  name: 'run-tests',
  description: "Puts protected test files back and runs the task's own test command.",
  arguments: Type.Object({}, { additionalProperties: false }),
  effect: 'idempotent',
  changesFiles: true,
  runsPrograms: true,
  perform: async (_args: object, context, workspace) => {
    const { policy, signal, sandbox } = context;
    const { argv } = context.test;
    if (argv.length === 0) return failed('The task has no test command.');
    const restored =
      context.role === 'tester' ? [] : await restoreProtected(workspace, context.baseCommit, policy);
    // Committed before the run, so that what the tests themselves write can be told apart and undone.
    const message = `run-tests: put back ${restored.join(', ')}`;
    const step = await workspace.commitStep({ stepId: context.stepId, message, parent: context.commit });

    workspace.beginChange();
    const bounds = { timeoutMs: policy.timeoutMs, outputBytes: policy.outputBytes, signal };
    const place = { directory: workspace.path, readOnly: [workspace.mirror] };
    const result = await runProgram({
      argv,
      ...place,
      ...bounds,
      sandbox,
      withoutSandbox: policy.withoutSandbox,
    });
    await workspace.reset(step.commit);
    if (!result.ran) return result.kind === 'refused' ? denied(result.reason) : failed(result.reason);
    signal.throwIfAborted();

    const counts = readTestCounts(result.output);
    const testsPass =
      result.exitCode === 0 && !counts.failed && !(counts.passed === 0 && counts.failed === 0);
    const { exitCode, durationMs } = result;
    const output = withoutColours(result.output);
    const late = result.ended === 'timed_out' ? ` They were stopped after ${policy.timeoutMs} ms.` : '';
    const back = restored.length > 0 ? ` Put back before judging: ${restored.join(', ')}.` : '';
    const heading = `${describe(counts, testsPass)} Exit code ${exitCode} (sandbox: ${result.sandbox}).${late}${back}`;
    return {
      status: testsPass ? 'ok' : 'failed',
      output: `${heading}\n${output}`.trimEnd(),
      ...(step.changed ? { commit: step.commit } : {}),
      sandbox: result.sandbox,
      exitCode,
      durationMs,
      tests: { testsPass, ...counts, exitCode, output, restored, sandbox: result.sandbox, durationMs },
    };
  },
};

function describe({ passed, failed: red }: TestCounts, testsPass: boolean): string {
  if (passed === 0 && red === 0) return 'No test ran, which is no success.';
  if (passed === null || red === null) return testsPass ? 'The tests pass.' : 'The tests do not pass.';
  return `${passed} of ${passed + red} tests pass.`;
}
