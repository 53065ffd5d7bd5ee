import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, type TestContext } from 'vitest';
import type { SetupRequest } from './setup.ts';
import { makeRun, type TestRun } from './step-for-tests.ts';

let run: TestRun;
let setup: Omit<SetupRequest, 'argv'>;
beforeEach(async () => {
  run = await makeRun({ 'a.txt': 'one\n', '.gitignore': 'ignored/\n' });
  setup = { sandbox: run.sandbox, withoutSandbox: 'refuse', timeoutMs: 20_000, outputBytes: 2000 };
});
afterEach(() => run.end());

const needSandbox = (context: TestContext): void => {
  if (run.sandbox.level === 'none') context.skip(run.sandbox.why);
};
const node = (source: string): string[] => [
  'node',
  '--input-type=module',
  '-e',
  `import { mkdirSync, writeFileSync, appendFileSync } from 'node:fs'; ${source}`,
];
const has = (path: string): boolean => existsSync(join(run.workspace.path, path));

test('setup: what it installs stays and is no part of a commit, ignored or not; tracked files are put back', async (context) => {
  needSandbox(context);
  const argv = node(`
    mkdirSync('ignored'); writeFileSync('ignored/x', ''); mkdirSync('in stalled!'); writeFileSync('in stalled!/y', '');
    writeFileSync('[odd]*.txt', ''); writeFileSync('a.txt', 'changed'); console.log('installed')`);
  expect(await run.workspace.prepare({ ...setup, argv })).toMatchObject({
    ok: true,
    ran: true,
    output: 'installed\n',
    sandbox: 'bubblewrap',
  });
  const step = await run.step('write-file', { path: 'b.txt', content: 'b\n' });
  expect(step.diff).toMatch(/^diff --git a\/b.txt b\/b.txt/);
  expect(step.diff!.match(/^diff --git/gm)).toHaveLength(1);
  expect(readFileSync(join(run.workspace.path, 'a.txt'), 'utf8')).toBe('one\n');
  await run.workspace.reset(run.at.commit);
  expect([has('ignored/x'), has('in stalled!/y'), has('[odd]*.txt'), has('b.txt')]).toEqual([
    true,
    true,
    true,
    false,
  ]);
});

test('setup: it runs once per worktree and task, and again for another task, which finds nothing of the first', async (context) => {
  needSandbox(context);
  const argv = node(`appendFileSync('marker', 'x')`);
  expect(await run.workspace.prepare({ ...setup, argv })).toMatchObject({ ran: true });
  expect(await run.workspace.prepare({ ...setup, argv })).toMatchObject({ ok: true, ran: false });
  run.workspace.release();
  const same = await run.pool.claim({ mirror: run.mirror, taskId: 'task', commit: run.at.commit });
  expect(same.path).toBe(run.workspace.path);
  expect(await same.prepare({ ...setup, argv })).toMatchObject({ ran: false });
  expect(readFileSync(join(same.path, 'marker'), 'utf8')).toBe('x');
  same.release();
  const others = await Promise.all(
    Array.from({ length: 8 }, (_, number) =>
      run.pool.claim({ mirror: run.mirror, taskId: `other-${number}`, commit: run.at.commit }),
    ),
  );
  // Seven new worktrees, then the prepared one has to serve as well.
  const taken = others.find((workspace) => workspace.path === run.workspace.path)!;
  expect(has('marker')).toBe(false);
  expect(await taken.prepare({ ...setup, argv })).toMatchObject({ ran: true });
});

test('setup: it has the network, which no other program has', async (context) => {
  needSandbox(context);
  const server = createServer((_, response) => response.end('a package'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const argv = node(`console.log(await (await fetch('http://127.0.0.1:${port}')).text())`);
  expect(await run.workspace.prepare({ ...setup, argv })).toMatchObject({ ok: true, output: 'a package\n' });
  expect(await run.step('run-program', { argv })).toMatchObject({
    status: 'failed',
    output: expect.stringMatching(/fetch failed/),
  });
  server.close();
});

test('setup: a failure, a time-out and a missing program are told apart, and it is tried again', async (context) => {
  needSandbox(context);
  const failing = await run.workspace.prepare({
    ...setup,
    argv: node(`writeFileSync('half', ''); console.log('why'); process.exit(4)`),
  });
  expect(failing).toMatchObject({
    ok: false,
    exitCode: 4,
    output: 'why\n',
    reason: expect.stringMatching(/failed with exit code 4/),
  });
  expect(has('half')).toBe(false);
  const late = await run.workspace.prepare({
    ...setup,
    timeoutMs: 500,
    argv: node('setInterval(() => {}, 1000)'),
  });
  expect(late).toMatchObject({ ok: false, reason: expect.stringMatching(/stopped after 500 ms/) });
  expect(await run.workspace.prepare({ ...setup, argv: ['no-such-installer'] })).toMatchObject({
    ok: false,
    reason: expect.stringMatching(/no program/),
  });
  expect(await run.workspace.prepare({ ...setup, argv: node('') })).toMatchObject({ ok: true, ran: true });
});

test('setup: without a sandbox it is refused like any program', async () => {
  const sandbox = { level: 'none', why: 'there is none' } as const;
  writeFileSync(join(run.workspace.path, 'witness'), '');
  expect(await run.workspace.prepare({ ...setup, sandbox, argv: node('') })).toMatchObject({
    ok: false,
    reason: expect.stringMatching(/there is none/),
  });
});
