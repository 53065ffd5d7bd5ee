import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findBubblewrap, probeSandbox, sandboxMend } from './sandbox.ts';
import { sandboxForTests } from './sandbox-for-tests.ts';

/** A program in the place of bubblewrap. */
function planted(script: string): { directory: string; file: string } {
  const directory = mkdtempSync(join(tmpdir(), 'switchyard-sandbox-'));
  const file = join(directory, 'bwrap');
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return { directory, file };
}

test('bubblewrap: it is found where it was named, or along the PATH, and its absence is explained', () => {
  const { directory, file } = planted('exit 0');
  expect(findBubblewrap({ explicit: file })).toMatchObject({ bwrap: file });
  expect(findBubblewrap({ path: `relative::/nonexistent:${directory}` })).toMatchObject({ bwrap: file });
  expect(findBubblewrap({ path: '/nonexistent' })).toMatchObject({
    bwrap: undefined,
    why: expect.stringContaining('no bwrap on the PATH'),
  });
  // One that was named but is not there is not replaced by another.
  expect(findBubblewrap({ explicit: '/nonexistent/bwrap', path: directory }).bwrap).toBeUndefined();
  rmSync(directory, { recursive: true });
});

test('probe: a real bubblewrap holds', async (context) => {
  const sandbox = await sandboxForTests();
  if (sandbox.level === 'none') context.skip(sandbox.why);
  expect(sandbox).toMatchObject({ level: 'bubblewrap', bwrap: expect.stringMatching(/bwrap$/) });
});

test('probe: a system that forbids it gives level none with the reason and the mend', async () => {
  const { directory, file } = planted('echo "bwrap: setting up uid map: Permission denied" >&2; exit 1');
  const sandbox = await probeSandbox(file);
  expect(sandbox).toMatchObject({
    level: 'none',
    why: expect.stringMatching(/uid map: Permission denied$/),
    mend: expect.any(String),
  });
  rmSync(directory, { recursive: true });
});

test('probe: a program that runs everything but holds nothing is found out', async () => {
  const { directory, file } = planted('while [ "$1" != /bin/sh ]; do shift; done; exec "$@"');
  expect(await probeSandbox(file)).toMatchObject({ level: 'none' });
  rmSync(directory, { recursive: true });
});

test('probe: no bubblewrap at all is level none', async () => {
  expect(await probeSandbox(undefined)).toMatchObject({
    level: 'none',
    why: expect.stringMatching(/not found/),
    mend: expect.stringContaining('install bubblewrap'),
  });
});

test('probe: what mends a refusal is what this very system forbids', () => {
  const denied = 'bwrap: setting up uid map: Permission denied';
  const system = (settings: Record<string, string>, isContainer = false) => ({
    isContainer,
    setting: (name: string) => settings[name],
  });
  expect(sandboxMend(denied, system({}, true))).toContain('--security-opt seccomp=unconfined');
  expect(sandboxMend(denied, system({ 'kernel.apparmor_restrict_unprivileged_userns': '1' }))).toBe(
    'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
  );
  expect(sandboxMend(denied, system({ 'kernel.unprivileged_userns_clone': '0' }))).toBe(
    'sudo sysctl -w kernel.unprivileged_userns_clone=1',
  );
  expect(sandboxMend(denied, system({}))).toContain('namespaces');
  expect(sandboxMend('bwrap: unknown option --clearenv', system({}, true))).toBeUndefined();
});
