import { appendFile } from 'node:fs/promises';
import { git, type GitRequest, splitNul } from './git.ts';
import { runProgram } from './program.ts';
import type { Sandbox, SandboxLevel } from './tool.ts';

/** The operator's command that makes a fresh worktree ready, such as `npm ci`. */
export interface SetupRequest {
  argv: string[];
  sandbox: Sandbox;
  withoutSandbox: 'refuse' | 'run';
  timeoutMs: number;
  outputBytes: number;
  signal?: AbortSignal;
}

/** `ran` false: this worktree had been made ready for this task before. */
export type SetupResult =
  | { ok: true; ran: boolean; output: string; durationMs: number; sandbox?: SandboxLevel }
  | {
      ok: false;
      reason: string;
      output: string;
      durationMs: number;
      exitCode?: number;
      sandbox?: SandboxLevel;
    };

/**
 * Runs the setup command in the sandbox, with the network. Tracked files that it changes are for the caller to
 * reset; what it adds beside them stays in this worktree and is no part of any commit, whether the repository
 * ignores it or not.
 */
export async function prepareWorktree(
  worktree: GitRequest,
  mirror: string,
  excludesFile: string,
  setup: SetupRequest,
): Promise<SetupResult> {
  const shown = setup.argv.join(' ');
  const result = await runProgram({
    ...setup,
    directory: worktree.directory,
    readOnly: [mirror],
    network: true,
  });
  if (!result.ran)
    return {
      ok: false,
      reason: `The setup command ${shown} was not run: ${result.reason}`,
      output: '',
      durationMs: 0,
    };
  const { output, durationMs, sandbox, exitCode } = result;
  setup.signal?.throwIfAborted();
  if (result.ended === 'timed_out') {
    const reason = `The setup command ${shown} was stopped after ${setup.timeoutMs} ms.`;
    return { ok: false, reason, output, durationMs, exitCode, sandbox };
  }
  if (exitCode !== 0) {
    const reason = `The setup command ${shown} failed with exit code ${exitCode}.`;
    return { ok: false, reason, output, durationMs, exitCode, sandbox };
  }
  const added = splitNul(
    await git(['ls-files', '-z', '--others', '--exclude-standard', '--directory'], worktree),
  );
  await appendFile(excludesFile, added.map((path) => `/${escapePattern(path)}\n`).join(''));
  return { ok: true, ran: true, output, durationMs, sandbox };
}

/** A path as a line of an excludes file. */
const escapePattern = (path: string): string => path.replaceAll(/[\\*?[\]!# ]/g, '\\$&');
