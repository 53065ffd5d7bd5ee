import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { cacheDirectoryOf } from '../bus/cache-directory.ts';
import { fetchDebianPackage } from '../bus/debian-package.ts';
import { findOnPath } from '../bus/program.ts';
import type { Config } from '../config/config.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import { checkSandbox, type ToolCheck } from '../tools/check.ts';
import type { Say } from './mesh.ts';

/** Where bubblewrap is, if anywhere, and whether it really holds programs on this machine. */
export interface FoundSandbox extends ToolCheck {
  bubblewrap: string | undefined;
}

/**
 * Looks for bubblewrap where it was named and on the PATH, else fetches it without root; then really starts a sandbox.
 * Throws ConfigurationError where what was named is no program.
 */
export async function findSandbox(
  environment: Record<string, string | undefined>,
  say: Say,
): Promise<FoundSandbox> {
  const path = environment['PATH'] ?? '';
  const given = environment['SWITCHYARD_BWRAP'];
  const there = given ? requireProgram('SWITCHYARD_BWRAP', given) : (await findOnPath('bwrap', path))[0];
  if (there) return { bubblewrap: there, ...(await checkSandbox(there)) };
  if (process.platform !== 'linux') return { bubblewrap: undefined, ...(await checkSandbox(undefined)) };
  try {
    const cacheDirectory = cacheDirectoryOf(environment);
    const folder = await fetchDebianPackage({ package: 'bubblewrap', cacheDirectory, path, say });
    const bubblewrap = join(folder, 'usr/bin/bwrap');
    return { bubblewrap, ...(await checkSandbox(bubblewrap)) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const found = `bubblewrap is not installed and cannot be fetched (${why})`;
    return { bubblewrap: undefined, ...(await checkSandbox(undefined)), found };
  }
}

/** A program that a variable names. Throws ConfigurationError where there is none. */
function requireProgram(variable: string, path: string): string {
  try {
    if (!isAbsolute(path)) throw new Error('the whole path is needed');
    if (!statSync(path).isFile()) throw new Error('it is no file');
    accessSync(path, constants.X_OK);
    return path;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError([
      `${variable}: ${path} cannot be started (${why}); name a program, or leave the variable out`,
    ]);
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
