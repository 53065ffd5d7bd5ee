import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { rgPath } from '@vscode/ripgrep';
import { findBubblewrap, probeSandbox } from './sandbox.ts';

/** Whether something that the tools need is there, and what to do where it is not. */
export interface ToolCheck {
  ok: boolean;
  found: string;
  mend?: string;
}

const run = promisify(execFile);

/** Really starts a sandbox with the bubblewrap that was named, found or fetched. Never throws. */
export async function checkSandbox(bubblewrap: string | undefined): Promise<ToolCheck> {
  const found = findBubblewrap({ explicit: bubblewrap });
  const sandbox = await probeSandbox(found.bwrap);
  if (sandbox.level === 'bubblewrap')
    return { ok: true, found: `bubblewrap holds programs (${sandbox.bwrap})` };
  const isNamedWrong = found.bwrap === undefined && bubblewrap !== undefined;
  const mend = isNamedWrong ? 'correct SWITCHYARD_BWRAP, or unset it' : sandbox.mend;
  return {
    ok: false,
    found: isNamedWrong ? found.why : sandbox.why,
    mend: [...(mend ? [mend] : []), 'tools.withoutSandbox: run in switchyard.yaml'].join(', or '),
  };
}

/** Starts the search program. Never throws. */
export async function checkSearch(): Promise<ToolCheck> {
  try {
    const { stdout } = await run(rgPath, ['--version'], { timeout: 5000 });
    return { ok: true, found: stdout.split('\n')[0]!.trim() };
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0]! : String(error);
    return { ok: false, found: `ripgrep does not run: ${why}`, mend: 'npm ci' };
  }
}
