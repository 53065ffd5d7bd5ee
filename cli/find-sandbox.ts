import { join } from 'node:path';
import { cacheDirectoryOf } from '../bus/cache-directory.ts';
import { fetchDebianPackage } from '../bus/debian-package.ts';
import { findOnPath } from '../bus/program.ts';
import type { Config } from '../config/config.ts';
import { checkSandbox, type ToolCheck } from '../tools/check.ts';
import type { Say } from './mesh.ts';

/** Where bubblewrap is, if anywhere, and whether it really holds programs on this machine. */
export interface FoundSandbox extends ToolCheck {
  bubblewrap: string | undefined;
}

/** Looks for bubblewrap where it was named and on the PATH, else fetches it without root; then really starts a sandbox. */
export async function findSandbox(
  environment: Record<string, string | undefined>,
  say: Say,
): Promise<FoundSandbox> {
  const path = environment['PATH'] ?? '';
  const named = environment['SWITCHYARD_BWRAP'] || (await findOnPath('bwrap', path))[0];
  if (named) return { bubblewrap: named, ...(await checkSandbox({ explicit: named })) };
  if (process.platform !== 'linux') return { bubblewrap: undefined, ...(await checkSandbox({})) };
  try {
    const cacheDirectory = cacheDirectoryOf(environment);
    const folder = await fetchDebianPackage({ package: 'bubblewrap', cacheDirectory, path, say });
    const bubblewrap = join(folder, 'usr/bin/bwrap');
    return { bubblewrap, ...(await checkSandbox({ explicit: bubblewrap })) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const found = `bubblewrap is not installed and cannot be fetched (${why})`;
    return { bubblewrap: undefined, ...(await checkSandbox({})), found };
  }
}

/** Says before any work what becomes of programs where nothing can hold them, and the mend. */
export function sayUnheld(
  say: Say,
  sandbox: FoundSandbox,
  withoutSandbox: Config['tools']['withoutSandbox'],
): void {
  if (sandbox.ok) return;
  say(`no sandbox: ${sandbox.found}`);
  say(
    withoutSandbox === 'run'
      ? '  programs and tests run WITHOUT one, with all that your user may do, as tools.withoutSandbox says'
      : `  programs and tests are refused until that is mended: ${sandbox.mend}`,
  );
}

/** The same for the demo, whose repository and tests come with Switchyard. */
export function sayDemoUnheld(say: Say, sandbox: FoundSandbox): void {
  say(`no sandbox: ${sandbox.found}`);
  say("  the demo's own tests run WITHOUT one; for other work it has to be mended:");
  say(`  ${sandbox.mend}`);
}
