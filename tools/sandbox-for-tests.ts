import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findBubblewrap, probeSandbox } from './sandbox.ts';
import type { Sandbox } from './tool.ts';

/**
 * A real sandbox for tests: the bubblewrap named by SWITCHYARD_BWRAP, the one on the PATH, or Debian's package
 * unpacked, without root, into the user's cache. Where none can be had it says why, and tests skip with that.
 */
export async function sandboxForTests(): Promise<Sandbox> {
  const found = findBubblewrap({ explicit: process.env['SWITCHYARD_BWRAP'], path: process.env['PATH'] });
  if (found.bwrap !== undefined || process.env['SWITCHYARD_BWRAP'] !== undefined)
    return await probeSandbox(found.bwrap);
  try {
    return await probeSandbox(unpackedFromDebian());
  } catch (error) {
    return {
      level: 'none',
      why: `bubblewrap could not be fetched for the tests: ${(error as Error).message}`,
    };
  }
}

function unpackedFromDebian(): string {
  const cache = join(homedir(), '.cache/switchyard');
  const place = join(cache, 'bubblewrap-for-tests');
  const bwrap = join(place, 'usr/bin/bwrap');
  if (existsSync(bwrap)) return bwrap;
  mkdirSync(cache, { recursive: true });
  const working = mkdtempSync(join(cache, 'fetching-'));
  try {
    const options = { cwd: working, stdio: 'pipe', timeout: 60_000 } as const;
    execFileSync('apt-get', ['download', 'bubblewrap'], options);
    const file = readdirSync(working).find((name) => name.endsWith('.deb'))!;
    execFileSync('dpkg-deb', ['-x', file, 'unpacked'], options);
    // Another test file may have been quicker; then its copy stays.
    if (!existsSync(bwrap)) renameSync(join(working, 'unpacked'), place);
  } finally {
    rmSync(working, { recursive: true, force: true });
  }
  return bwrap;
}
