import type { TSchema } from 'typebox';
import type { Workspace } from './workspace.ts';

/**
 * What may be repeated after a crash. `idempotent`: repeat it; `queryable`: look whether it was done,
 * then adopt or repeat; `opaque`: never repeat, a person decides.
 */
export type EffectClass = 'idempotent' | 'queryable' | 'opaque';

/** How tightly a program was held: a bubblewrap sandbox without network, or nothing at all. */
export type SandboxLevel = 'bubblewrap' | 'none';

/** What can hold a program on this machine, as `probeSandbox` found it, or why nothing can and what mends that. */
export type Sandbox =
  | { level: 'bubblewrap'; bwrap: string }
  | { level: 'none'; why: string; mend?: string | undefined };

/** What one tool step came to. It is journaled as it stands, so it holds no secret and is cut openly. */
export interface ToolOutcome {
  /** `denied`: policy refused it; `failed`: it was tried and did not work; both are answers to the model. */
  status: 'ok' | 'failed' | 'denied';
  /** What the model reads; at most `outputBytes` long, and says so where it was cut. */
  output: string;
  /** The commit the workspace is at after this step, if the step changed files. */
  commit?: string;
  /** A file for a person to look at: unified diff of this step, cut openly. */
  diff?: string;
  /** Set where a program ran. */
  sandbox?: SandboxLevel;
  exitCode?: number;
  durationMs?: number;
  /** True when a restart found the step already done and did nothing again. */
  adopted?: boolean;
  /** Set by run-tests. */
  tests?: TestReport;
}

/** What a test run came to. Counts are null where the output does not tell them. */
export interface TestReport {
  testsPass: boolean;
  passed: number | null;
  failed: number | null;
  exitCode: number;
  output: string;
  /** Protected files that had been changed and were put back before judging. */
  restored: string[];
  sandbox: SandboxLevel;
  durationMs: number;
}

/** Where a tool may act and under which of the operator's rules. Everything in it is data. */
export interface ToolContext {
  role: string;
  /** `<runId>/<number>`: names the write-once ref of a step that changes files. */
  stepId: string;
  /** Absolute real path of the worktree. */
  workspace: string;
  /** The workspace's commit before this step. */
  commit: string;
  /** The commit that protected files are restored from before tests are judged. */
  baseCommit: string;
  policy: ToolPolicy;
  sandbox: Sandbox;
  test: { argv: string[] };
  /** Aborted when the run is stopped or another process took over. */
  signal: AbortSignal;
}

/** The operator's rules for one role, from `switchyard.yaml`. */
export interface ToolPolicy {
  /** Tools the role may call, by name. */
  tools: string[];
  /** Programs run-program may start: the first argument and exact or positional arguments; `*` = any one argument, `**` = any rest. */
  programs: string[][];
  /** Globs of files that only the tester may change; restored before tests are judged. */
  protect: string[];
  /** What to do where no sandbox can be had. */
  withoutSandbox: 'refuse' | 'run';
  timeoutMs: number;
  outputBytes: number;
}

/** A tool: its contract for the model, its class, and what performs it. */
export interface Tool {
  name: string;
  description: string;
  arguments: TSchema;
  effect: EffectClass;
  /** True where the step may change files, so that it ends in a commit. */
  changesFiles: boolean;
  /** True where the step starts a program: without a sandbox its effect is `opaque`, whatever `effect` says. */
  runsPrograms: boolean;
  perform(args: never, context: ToolContext, workspace: Workspace): Promise<ToolOutcome>;
}
