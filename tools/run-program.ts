import Type, { type Static } from 'typebox';
import { denied, failed } from './outcome.ts';
import { mayStartProgram } from './policy.ts';
import { runProgram as start } from './program.ts';
import type { Tool } from './tool.ts';

const Arguments = Type.Object(
  {
    argv: Type.Array(Type.String(), {
      minItems: 1,
      maxItems: 200,
      description: 'The program and its arguments, one by one, e.g. ["npm", "test"]; no shell reads them',
    }),
  },
  { additionalProperties: false },
);

export const runProgram: Tool = {
  name: 'run-program',
  description:
    'Runs one of the allowed programs in the workspace, without network, and gives its exit code and output.',
  arguments: Arguments,
  effect: 'queryable',
  changesFiles: true,
  runsPrograms: true,
  perform: async ({ argv }: Static<typeof Arguments>, context, workspace) => {
    const verdict = mayStartProgram(context.policy, argv);
    if (!verdict.allowed) return denied(verdict.reason);
    const { timeoutMs, outputBytes, withoutSandbox } = context.policy;
    const { sandbox, signal } = context;
    const bounds = { timeoutMs, outputBytes, signal };
    const place = { directory: context.workspace, readOnly: [workspace.mirror] };
    const result = await start({ argv, ...place, ...bounds, sandbox, withoutSandbox });
    if (!result.ran) return result.kind === 'refused' ? denied(result.reason) : failed(result.reason);
    signal.throwIfAborted();
    const facts = { sandbox: result.sandbox, exitCode: result.exitCode, durationMs: result.durationMs };
    if (result.ended === 'timed_out') {
      // It was stopped in the middle: what it had written by then is no state to go on from.
      await workspace.reset(context.commit);
      const said = `It was stopped after ${timeoutMs} ms, and what it had changed was undone.`;
      return { status: 'failed', output: `${said}\n${result.output}`, ...facts };
    }
    const heading = `Exit code ${result.exitCode} after ${result.durationMs} ms (sandbox: ${result.sandbox}).`;
    return {
      status: result.exitCode === 0 ? 'ok' : 'failed',
      output: `${heading}\n${result.output}`.trimEnd(),
      ...facts,
    };
  },
};
