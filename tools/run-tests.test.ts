import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, type TestContext } from 'vitest';
import { performStep } from './perform.ts';
import { makeRun, policyForTests, type TestRun } from './step-for-tests.ts';

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

test('run-tests: red, then green after an edit, with counts; what the tests write is undone', async (context) => {
  needSandbox(context);
  const red = await run.step('run-tests', {});
  expect(red).toMatchObject({
    status: 'failed',
    output: expect.stringMatching(/^1 of 2 tests pass\. Exit code 1 \(sandbox: bubblewrap\)/),
  });
  expect(red.tests).toMatchObject({
    testsPass: false,
    passed: 1,
    failed: 1,
    restored: [],
    sandbox: 'bubblewrap',
  });
  expect(red.commit).toBeUndefined();
  await run.step('edit-file', { path: 'add.js', find: 'a - b', replace: 'a + b' });
  const argv = [
    'node',
    '-e',
    `require('fs').writeFileSync('rubbish', 'x'); require('fs').writeFileSync('add.js', 'x'); console.log('# pass 2\\n# fail 0')`,
  ];
  const green = await run.step('run-tests', {}, { test: { argv } });
  expect(green.tests).toMatchObject({ testsPass: true, passed: 2, failed: 0 });
  expect(existsSync(inWorkspace('rubbish'))).toBe(false);
  expect(readFileSync(inWorkspace('add.js'), 'utf8')).toContain('a + b');
});

test('run-tests: protected files that a program changed, removed, added or hid behind a link are put back first', async (context) => {
  needSandbox(context);
  const cheat = 'import { test } from "node:test"; test("always", () => {});\n';
  await run.step('run-program', { argv: ['node', 'write.js', 'test/add.test.js', cheat] });
  await run.step('run-program', { argv: ['node', 'write.js', 'test/extra.test.js', cheat] });
  const report = await run.step('run-tests', {});
  expect(report.tests).toMatchObject({
    testsPass: false,
    passed: 1,
    failed: 1,
    restored: ['test/add.test.js', 'test/extra.test.js'],
  });
  expect(report).toMatchObject({
    commit: run.workspace.head(),
    output: expect.stringMatching(/Put back before judging: test\/add.test.js/),
  });
  expect(readFileSync(inWorkspace('test/add.test.js'), 'utf8')).toBe(passing);

  const swap = `const fs = require('fs'); fs.rmSync('test', { recursive: true }); fs.mkdirSync('other');
    fs.writeFileSync('other/add.test.js', ${JSON.stringify(cheat)}); fs.symlinkSync('other', 'test')`;
  await run.step('run-program', { argv: ['node', '-e', swap] });
  const again = await run.step('run-tests', {});
  expect(again.tests!.restored).toEqual(['other/add.test.js', 'test', 'test/add.test.js']);
  expect(again.tests).toMatchObject({ passed: 1, failed: 1 });
  expect(readFileSync(inWorkspace('test/add.test.js'), 'utf8')).toBe(passing);
});

test('run-tests: the tester keeps the tests it wrote; done again after a restart, it gives the report again', async (context) => {
  needSandbox(context);
  const role = { role: 'tester' };
  await run.step(
    'write-file',
    { path: 'test/more.test.js', content: `import { test } from 'node:test'; test('more', () => {});\n` },
    role,
  );
  const report = await run.step('run-tests', {}, role);
  expect(report.tests).toMatchObject({ passed: 2, failed: 1, restored: [] });
  // The coder that follows begins at the tester's commit.
  const next = await run.step('run-tests', {}, { baseCommit: run.workspace.head() });
  expect(next.tests).toMatchObject({ passed: 2, failed: 1, restored: [] });
  const cheated = await run.step('run-program', { argv: ['node', 'write.js', 'test/more.test.js', 'x'] });
  const first = await run.step('run-tests', {});
  expect(first.tests!.restored).toEqual(['test/more.test.js']);
  const again = await performStep({
    name: 'run-tests',
    args: {},
    context: { ...run.last(), commit: cheated.commit! },
    workspace: run.workspace,
  });
  expect(again).toMatchObject({
    commit: first.commit,
    tests: { restored: ['test/more.test.js'], passed: 1, failed: 1 },
  });
});

test('run-tests: colours of the output are not kept', async (context) => {
  needSandbox(context);
  const argv = ['node', '-p', String.raw`"\u001b[31m# fail 1\u001b[39m\n# pass 0"`];
  const { tests, output } = await run.step('run-tests', {}, { test: { argv } });
  expect(tests).toMatchObject({ failed: 1, output: '# fail 1\n# pass 0\n' });
  expect(output).toMatch(/\n# fail 1\n# pass 0$/);
});

test('run-tests: no test, a time-out and a test command that is not there are no success', async (context) => {
  needSandbox(context);
  expect(
    (await run.step('run-tests', {}, { test: { argv: ['node', '-p', '"# pass 0\\n# fail 0"'] } })).tests,
  ).toMatchObject({ testsPass: false });
  expect(
    (await run.step('run-tests', {}, { test: { argv: ['node', '-p', '"# pass 9\\n# fail 2"'] } })).tests,
  ).toMatchObject({ testsPass: false });
  expect((await run.step('run-tests', {}, { test: { argv: ['node', '-p', '"fine"'] } })).tests).toMatchObject(
    { testsPass: true, passed: null },
  );
  expect(await run.step('run-tests', {}, { test: { argv: ['no-such-runner'] } })).toMatchObject({
    status: 'failed',
  });
  expect(await run.step('run-tests', {}, { test: { argv: [] } })).toMatchObject({ status: 'failed' });
  const policy = { ...policyForTests, timeoutMs: 500 };
  const late = await run.step(
    'run-tests',
    {},
    {
      policy,
      test: { argv: ['node', '-e', 'console.log("# pass 1\\n# fail 0"); setInterval(() => {}, 9)'] },
    },
  );
  expect(late).toMatchObject({
    status: 'failed',
    output: expect.stringMatching(/stopped after 500 ms/),
    tests: { testsPass: false },
  });
});
