import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLock } from './lock.ts';

const directory = mkdtempSync(join(tmpdir(), 'switchyard-lock-'));
test('lock: one at a time, in one process', async () => {
  let inside = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      await withLock(join(directory, 'a/lock'), async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => setTimeout(resolve, 3));
        inside -= 1;
      });
    }),
  );
  expect(most).toBe(1);
});

test('lock: it is free after its act threw', async () => {
  const file = join(directory, 'b');
  await expect(withLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await withLock(file, () => Promise.resolve('free'), 0)).toBe('free');
});

test('lock: another process is kept out until its holder is killed with kill -9', async () => {
  const file = join(directory, 'c');
  const source = `const { withLock } = await import(${JSON.stringify(new URL('lock.ts', import.meta.url).href)});
    await withLock(${JSON.stringify(file)}, async () => { console.log('held'); await new Promise((r) => setTimeout(r, 60000)) });`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  await expect(withLock(file, () => Promise.resolve(), 50)).rejects.toThrow(/not free within 50 ms/);
  holder.kill('SIGKILL');
  expect(await withLock(file, () => Promise.resolve('mine'), 5000)).toBe('mine');
  rmSync(directory, { recursive: true });
});
