import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findBubblewrap, probeSandbox } from './sandbox.ts';
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
    why: expect.stringMatching(/install/),
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
    why: expect.stringMatching(/uid map: Permission denied.*sysctl/),
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
  });
});
