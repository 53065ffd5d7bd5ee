import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, type TestContext } from 'vitest';
import { git } from './git.ts';
import { performStep } from './perform.ts';
import { makeRun, policyForTests, type TestRun } from './step-for-tests.ts';
import { effectOf, toolDescriptions, tools } from './tools.ts';

let run: TestRun;
const passing = `import { test } from 'node:test'; import assert from 'node:assert'; import { add } from '../add.js';
  test('adds', () => assert.equal(add(1, 2), 3)); test('adds none', () => assert.equal(add(0, 0), 0));\n`;

beforeEach(async () => {
  run = await makeRun({
    'package.json': '{"type": "module"}\n',
    'add.js': 'export const add = (a, b) => a - b;\n',
    'test/add.test.js': passing,
    'write.js': `import { writeFileSync } from 'node:fs'; writeFileSync(process.argv[2], process.argv[3] ?? 'made\\n');\n`,
    '.gitignore': 'ignored/\n',
  });
});
afterEach(() => run.end());

const needSandbox = (context: TestContext): void => {
  if (run.sandbox.level === 'none') context.skip(run.sandbox.why);
};
const inWorkspace = (path: string): string => join(run.workspace.path, path);

test('step: an unknown tool, broken arguments and a tool not allowed are answers, with all that is wrong', async () => {
  expect(await run.step('shell', {})).toMatchObject({
    status: 'failed',
    output: expect.stringMatching(/no tool "shell".*read-file, list-dir/),
  });
  const broken = await run.step('read-file', { from: 0, colour: 'red' });
  expect(broken).toMatchObject({ status: 'failed' });
  for (const part of ['the property "path"', 'from: must be >= 1', 'unknown property "colour"'])
    expect(broken.output).toContain(part);
  for (const args of [null, undefined, 'text', []])
    expect(await run.step('write-file', args)).toMatchObject({ status: 'failed' });
  const policy = { ...policyForTests, tools: ['read-file'] };
  expect(await run.step('write-file', { path: 'x', content: 'x' }, { role: 'reviewer', policy })).toEqual({
    status: 'denied',
    output: 'The role reviewer may not use write-file. It may use: read-file.',
  });
  expect(existsSync(inWorkspace('x'))).toBe(false);
});

test('step: done twice (a restart), it is adopted with the outcome that was recorded', async () => {
  const first = await run.step('edit-file', { path: 'add.js', find: 'a - b', replace: 'a + b' });
  const context = run.last();
  // Another worktree, as in another process, at the commit before the step.
  const other = await run.pool.claim({ mirror: run.mirror, taskId: 'task', commit: context.commit });
  const args = { path: 'add.js', find: 'a - b', replace: 'a + b' };
  const again = await performStep({
    name: 'edit-file',
    args,
    context: { ...context, workspace: other.path },
    workspace: other,
  });
  expect(again).toEqual({ ...first, adopted: true });
  expect(readFileSync(join(other.path, 'add.js'), 'utf8')).toContain('a + b');
  expect(other.head()).toBe(first.commit);
});

test('step: an adopted program is not run again, and its exit code is the one it had', async (context) => {
  needSandbox(context);
  const argv = [
    'node',
    '-e',
    `require('fs').appendFileSync('count', 'x'); console.log('said'); process.exit(3)`,
  ];
  const first = await run.step('run-program', { argv });
  expect(first).toMatchObject({
    status: 'failed',
    exitCode: 3,
    sandbox: 'bubblewrap',
    output: expect.stringMatching(/Exit code 3.*\nsaid$/),
  });
  const again = await performStep({
    name: 'run-program',
    args: { argv },
    context: run.last(),
    workspace: run.workspace,
  });
  expect(again).toEqual({ ...first, adopted: true });
  expect(readFileSync(inWorkspace('count'), 'utf8')).toBe('x');
});

test('run-program: not on the list is denied, absent is failed, what it changes is committed', async (context) => {
  needSandbox(context);
  expect(await run.step('run-program', { argv: ['rm', '-rf', '.'] })).toMatchObject({
    status: 'denied',
    output: expect.stringMatching(/allowed programs: node/),
  });
  const policy = { ...policyForTests, programs: [['nothing-here']] };
  expect(await run.step('run-program', { argv: ['nothing-here'] }, { policy })).toMatchObject({
    status: 'failed',
    output: expect.stringMatching(/no program/),
  });
  const outcome = await run.step('run-program', { argv: ['node', 'write.js', 'out.txt'] });
  expect(outcome).toMatchObject({
    status: 'ok',
    exitCode: 0,
    commit: run.workspace.head(),
    diff: expect.stringMatching(/\+made/),
  });
  const subject = await git(['log', '-1', '--format=%s', outcome.commit!], { directory: run.mirror });
  expect(subject).toBe('run-program node write.js out.txt\n');
  expect(await run.step('run-program', { argv: ['node', 'write.js', 'ignored'] })).toMatchObject({
    status: 'ok',
  });
});

test('run-program: arguments reach the program as they are, for no shell reads them', async (context) => {
  needSandbox(context);
  const argv = ['node', '-p', 'process.argv.slice(1).join("|")', '$HOME', '; touch x', '`id`', '*'];
  expect((await run.step('run-program', { argv })).output).toContain('$HOME|; touch x|`id`|*');
});

test('run-program: stopped by its time-out, what it had changed is undone', async (context) => {
  needSandbox(context);
  const policy = { ...policyForTests, timeoutMs: 700 };
  const argv = ['node', '-e', `require('fs').writeFileSync('half', 'x'); setInterval(() => {}, 1000)`];
  const outcome = await run.step('run-program', { argv }, { policy });
  expect(outcome).toMatchObject({
    status: 'failed',
    output: expect.stringMatching(/stopped after 700 ms.*undone/),
  });
  expect(outcome.commit).toBeUndefined();
  expect(existsSync(inWorkspace('half'))).toBe(false);
});

test('run-program: an abort throws its reason, commits nothing, and the next claim is clean', async (context) => {
  needSandbox(context);
  const controller = new AbortController();
  const argv = ['node', '-e', `require('fs').writeFileSync('half', 'x'); setInterval(() => {}, 1000)`];
  const stepping = run.step('run-program', { argv }, { signal: controller.signal });
  await expect.poll(() => existsSync(inWorkspace('half')), { interval: 10 }).toBe(true);
  controller.abort(new Error('another process took over'));
  await expect(stepping).rejects.toThrow('another process took over');
  expect(await run.workspace.findStep(run.last().stepId)).toBeUndefined();
  const commit = run.workspace.head();
  run.workspace.release();
  const next = await run.pool.claim({ mirror: run.mirror, taskId: 'task', commit });
  expect(existsSync(join(next.path, 'half'))).toBe(false);
});

test('programs: without a sandbox they are denied, unless the operator allows it, and the level is told', async () => {
  const sandbox = { level: 'none', why: 'there is none' } as const;
  const argv = ['node', '-p', '1'];
  for (const [name, args] of [
    ['run-program', { argv }],
    ['run-tests', {}],
  ] as const) {
    expect(await run.step(name, args, { sandbox })).toMatchObject({
      status: 'denied',
      output: expect.stringMatching(/there is none/),
    });
  }
  const policy = { ...policyForTests, withoutSandbox: 'run' } as const;
  expect(await run.step('run-program', { argv }, { sandbox, policy })).toMatchObject({
    status: 'ok',
    sandbox: 'none',
  });
  expect((await run.step('run-tests', {}, { sandbox, policy })).tests).toMatchObject({
    sandbox: 'none',
    passed: 1,
    failed: 1,
  });
});

test('step: outputs and diffs are cut openly at the bound', async (context) => {
  needSandbox(context);
  const policy = { ...policyForTests, outputBytes: 2000 };
  const outcome = await run.step(
    'write-file',
    { path: 'big.txt', content: 'line\n'.repeat(5000) },
    { policy },
  );
  expect(outcome.diff!.length).toBeLessThan(2100);
  expect(outcome.diff).toMatch(/bytes left out/);
  const said = await run.step(
    'run-program',
    { argv: ['node', '-e', 'console.log("x".repeat(5e6))'] },
    { policy },
  );
  expect(said.output.length).toBeLessThan(2200);
  expect(said.output).toMatch(/bytes left out/);
});

test('step: a program leaves a link that leads out; no tool follows it', async (context) => {
  needSandbox(context);
  writeFileSync(join(run.at.area, 'secret'), 'secret');
  await run.step('run-program', {
    argv: ['node', '-e', `require('fs').symlinkSync('${run.at.area}', 'link')`],
  });
  expect(await run.step('read-file', { path: 'link/secret' })).toMatchObject({ status: 'denied' });
  expect(await run.step('write-file', { path: 'link/secret', content: 'x' })).toMatchObject({
    status: 'denied',
  });
  expect((await run.step('search-files', { pattern: 'secret', path: '.' })).output).not.toContain('link/');
  expect(readFileSync(join(run.at.area, 'secret'), 'utf8')).toBe('secret');
});

test('tools: each describes itself for a model, and its class is opaque where it runs unheld', () => {
  const described = toolDescriptions(tools.map((tool) => tool.name));
  expect(described.map((tool) => tool.name)).toEqual(tools.map((tool) => tool.name));
  for (const tool of described)
    expect(tool.arguments).toMatchObject({ type: 'object', additionalProperties: false });
  expect(() => toolDescriptions(['shell'])).toThrow(/no tool shell.*read-file/);
  expect([
    effectOf('edit-file', 'none'),
    effectOf('run-program', 'none'),
    effectOf('run-program', 'bubblewrap'),
  ]).toEqual(['queryable', 'opaque', 'queryable']);
  expect([
    effectOf('run-tests', 'none'),
    effectOf('run-tests', 'bubblewrap'),
    effectOf('read-file', 'none'),
  ]).toEqual(['opaque', 'idempotent', 'idempotent']);
});
test('step: what a program leaves that git cannot take in is undone, and said', async (context) => {
  needSandbox(context);
  const source = `require('fs').rmSync('add.js'); require('child_process').execFileSync('mkfifo', ['add.js']); console.log('left it')`;
  const outcome = await run.step('run-program', { argv: ['node', '-e', source] });
  expect(outcome).toMatchObject({
    status: 'failed',
    output: expect.stringMatching(/could not be committed and was undone: .*add.js[^]*left it/),
  });
  expect(outcome.commit).toBeUndefined();
  expect(readFileSync(inWorkspace('add.js'), 'utf8')).toContain('a - b');
});
