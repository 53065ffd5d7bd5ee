import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const script = join(root, 'setup', 'gpu-worker.mjs');
const run = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });

beforeAll(() => {
  // Fetches llama.cpp where it is missing.
  const ended = run();
  expect(ended.stderr, ended.stderr).not.toContain('failed');
  expect(ended.status).toBe(0);
}, 300_000);

test('gpu-worker set-up: says nothing and does nothing where llama.cpp is there', () => {
  const stamp = join(root, 'gpu-worker', 'node_modules', '.switchyard-setup.json');
  const before = readFileSync(stamp, 'utf8');
  const again = run();
  expect([again.status, again.stdout, again.stderr]).toEqual([0, '', '']);
  expect(readFileSync(stamp, 'utf8')).toBe(before);
  expect(JSON.parse(before)).toMatchObject({ kinds: expect.arrayContaining(['cpu']) as unknown });
});

test.each([[['--gpu', 'strange']], [['--gpu']], [['now']]])(
  'gpu-worker set-up: %j is refused with what there is',
  (args) => {
    const ended = run(...args);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain('usage: node setup/gpu-worker.mjs [--gpu KIND]; kinds: ');
  },
);

test('gpu-worker set-up: its lock file names no host and one version of all binaries', () => {
  const folder = join(root, 'gpu-worker');
  const text = readFileSync(join(folder, 'package-lock.json'), 'utf8');
  expect(text).not.toMatch(
    /"resolved"|https?:\/\/(?!(github\.com|opencollective\.com|paulmillr\.com)\b)[^"]*\.tgz/,
  );
  const { packages } = JSON.parse(text) as { packages: Record<string, { version: string }> };
  const wanted = packages['node_modules/node-llama-cpp']!.version;
  const binaries = Object.entries(packages).filter(([path]) => path.includes('/@node-llama-cpp/'));
  expect(binaries.length).toBeGreaterThan(3);
  for (const [path, { version }] of binaries) expect(version, path).toBe(wanted);
});
