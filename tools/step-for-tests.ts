import { ensureMirror } from './mirror.ts';
import { performStep } from './perform.ts';
import { makeRepository, type TestRepository } from './repository-for-tests.ts';
import { sandboxForTests } from './sandbox-for-tests.ts';
import type { Sandbox, ToolContext, ToolOutcome, ToolPolicy } from './tool.ts';
import { openPool, type Workspace, type WorkspacePool } from './workspace.ts';

/** A real repository, mirror, pool and sandbox, with steps performed one after the other as a run does. */
export interface TestRun {
  at: TestRepository;
  mirror: string;
  pool: WorkspacePool;
  workspace: Workspace;
  sandbox: Sandbox;
  /** Performs the next step at the commit where the last one ended. */
  step(name: string, args: unknown, more?: Partial<ToolContext>): Promise<ToolOutcome>;
  /** The context of the step performed last. */
  last(): ToolContext;
  end(): Promise<void>;
}

export const policyForTests: ToolPolicy = {
  tools: ['read-file', 'list-dir', 'search-files', 'edit-file', 'write-file', 'run-program', 'run-tests'],
  programs: [['node', '**']],
  protect: ['test/**', '**/*.test.js'],
  withoutSandbox: 'refuse',
  timeoutMs: 20_000,
  outputBytes: 10_000,
};

export async function makeRun(files: Record<string, string>): Promise<TestRun> {
  const at = makeRepository(files);
  const mirror = await ensureMirror({
    stateDirectory: at.state,
    repository: at.repository,
    commit: at.commit,
  });
  const pool = await openPool({ stateDirectory: at.state, instance: 'coder' });
  const workspace = await pool.claim({ mirror, taskId: 'task', commit: at.commit });
  const sandbox = await sandboxForTests();
  let number = 0;
  let last: ToolContext;
  const step: TestRun['step'] = async (name, args, more = {}) => {
    number += 1;
    last = {
      role: 'coder',
      stepId: `run/${number}`,
      workspace: workspace.path,
      commit: workspace.head(),
      baseCommit: at.commit,
      policy: policyForTests,
      sandbox,
      test: { argv: ['node', '--test'] },
      signal: new AbortController().signal,
      ...more,
    };
    return await performStep({ name, args, context: last, workspace });
  };
  const end = async (): Promise<void> => {
    await pool.close();
    at.remove();
  };
  return { at, mirror, pool, workspace, sandbox, step, last: () => last, end };
}
