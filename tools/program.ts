import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import { isProgram } from './is-program.ts';
import { type ProgramEnd, startProgram } from './process.ts';
import { removeTree } from './remove-tree.ts';
import { programEnvironment, programPath, sandboxArguments } from './sandbox.ts';
import type { Sandbox, SandboxLevel } from './tool.ts';

/** A program to run in a worktree. */
export interface ProgramRequest {
  argv: string[];
  /** Absolute real path of the worktree; where the program starts and all that it may write. */
  directory: string;
  /** Shown read-only beside the system: the repository behind the worktree. */
  readOnly: string[];
  sandbox: Sandbox;
  withoutSandbox: 'refuse' | 'run';
  /** True only for the operator's setup command. */
  network?: boolean;
  timeoutMs: number;
  outputBytes: number;
  signal?: AbortSignal;
}

/** `refused`: no sandbox and none may be done without; `absent`: there is no such program. */
export type ProgramResult =
  | ({ ran: true; sandbox: SandboxLevel } & ProgramEnd)
  | { ran: false; kind: 'refused' | 'absent'; reason: string };

/**
 * Runs a program with its arguments, without a shell, held by bubblewrap: no network, a read-only system, only
 * the worktree writable and its `.git` not, an empty home, an environment of six variables. Where no sandbox
 * can be had it is refused, or, if the operator allows that, run with the same small environment; the result
 * says at which level it ran.
 *
 * @throws Error when the machine cannot start processes at all.
 */
export async function runProgram(request: ProgramRequest): Promise<ProgramResult> {
  const { sandbox, argv } = request;
  const network = request.network ?? false;
  if (sandbox.level === 'none' && request.withoutSandbox === 'refuse') {
    return {
      ran: false,
      kind: 'refused',
      reason:
        `Programs are not run here, because nothing can hold them: ${sandbox.why}. ` +
        `The operator can mend that${sandbox.mend ? ` (${sandbox.mend})` : ''}, or allow it with \`withoutSandbox: run\` in switchyard.yaml.`,
    };
  }
  const missing = whyNotFound(argv[0] ?? '', request.directory);
  if (missing !== undefined) return { ran: false, kind: 'absent', reason: missing };
  const bounds = { timeoutMs: request.timeoutMs, outputBytes: request.outputBytes, signal: request.signal };

  if (sandbox.level === 'bubblewrap') {
    const view = { directory: request.directory, readOnly: request.readOnly, network };
    const words = [sandbox.bwrap, ...sandboxArguments(view), '--', ...argv];
    const end = await startProgram({ argv: words, environment: {}, ...bounds });
    return { ran: true, sandbox: 'bubblewrap', ...end };
  }
  const home = await mkdtemp(join(tmpdir(), 'switchyard-home-'));
  try {
    const environment = programEnvironment(home, network);
    const end = await startProgram({ argv, directory: request.directory, environment, ...bounds });
    return { ran: true, sandbox: 'none', ...end };
  } finally {
    await removeTree(home);
  }
}

/** Found before it is started, so that a missing program is told apart from one that fails. */
function whyNotFound(program: string, directory: string): string | undefined {
  if (program.includes('/')) {
    const file = resolve(directory, program);
    const known = file.startsWith(directory + sep) || file.startsWith('/usr/') || file.startsWith('/bin/');
    if (known && isProgram(file)) return undefined;
    return `There is no program ${program} in the workspace or the system.`;
  }
  if (program !== '' && programPath().some((path) => isProgram(join(path, program)))) return undefined;
  return `There is no program ${JSON.stringify(program)} in ${programPath().join(', ')}.`;
}
