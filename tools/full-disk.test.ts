import { execFileSync } from 'node:child_process';
import { mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeRun, type TestRun } from './step-for-tests.ts';
import { openPool } from './workspace.ts';

test('full disk: it is our fault and says so; nothing is half written, and with space the step succeeds', async (context) => {
  const run: TestRun = await makeRun({ 'a.txt': 'one\n' });
  const small = join(run.at.area, 'small');
  mkdirSync(small);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small], { stdio: 'pipe' });
  } catch {
    await run.end();
    return context.skip('a size-limited tmpfs needs the right to mount');
  }
  try {
    const pool = await openPool({ stateDirectory: small, instance: 'coder' });
    const workspace = await pool.claim({ mirror: run.mirror, taskId: 'task', commit: run.at.commit });
    const { performStep } = await import('./perform.ts');
    await run.step('list-dir', {});
    const stepIn = (number: number, content: string) =>
      performStep({
        name: 'write-file',
        args: { path: 'a.txt', content },
        context: {
          ...run.last(),
          stepId: `full/${number}`,
          workspace: workspace.path,
          commit: workspace.head(),
        },
        workspace,
      });
    const { bavail, bsize } = statfsSync(small);
    writeFileSync(join(small, 'filler'), Buffer.alloc(bavail * bsize - 64 * 1024));
    await expect(stepIn(1, 'x'.repeat(500_000))).rejects.toThrow(/disk .* is full/);
    expect(execFileSync('cat', [join(workspace.path, 'a.txt')], { encoding: 'utf8' })).toBe('one\n');
    execFileSync('rm', [join(small, 'filler')]);
    expect(await stepIn(2, 'x'.repeat(500_000))).toMatchObject({ status: 'ok', commit: workspace.head() });
    await pool.close();
  } finally {
    execFileSync('umount', ['-l', small]);
    await run.end();
  }
});
