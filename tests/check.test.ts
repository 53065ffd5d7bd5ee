import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { identifyProcess } from '../bus/process-identity.ts';
import { clean } from './global-setup.ts';
import { summarize, type Check } from './summary.ts';
import type { Tally } from './tally.ts';
import { root } from './tree.ts';

const checks: Check[] = ['types', 'lint'].map((name) => ({ name, passes: true, seconds: 1 }));
const good: Tally = { passed: 3, failed: [], skipped: [], files: [] };

test('summary: the last line counts checks and tests', () => {
  const { lines, exitCode } = summarize(checks, good, 61);
  expect(lines.at(-1)).toBe('5 passed, 0 failed, 0 skipped');
  expect(exitCode).toBe(0);
});

test.each<[string, Check[], Tally | undefined, string]>([
  ['a failed check', [{ name: 'types', passes: false, seconds: 1 }], good, '3 passed, 1 failed, 0 skipped'],
  ['a failed test', checks, { ...good, failed: ['a.test.ts > one'] }, '5 passed, 1 failed, 0 skipped'],
  ['no test at all', checks, { ...good, passed: 0 }, '2 passed, 1 failed, 0 skipped'],
  ['tests that broke off', checks, undefined, '2 passed, 1 failed, 0 skipped'],
  [
    'a skip without a reason',
    checks,
    { ...good, skipped: [{ title: 'one', reason: undefined }] },
    '5 passed, 1 failed, 0 skipped',
  ],
])('summary: %s is a failure', (_, given, tally, last) => {
  const { lines, exitCode } = summarize(given, tally, 1);
  expect(lines.at(-1)).toBe(last);
  expect(exitCode).toBe(1);
});

test('summary: a skip stands with its reason above the last line', () => {
  const tally = { ...good, skipped: [{ title: 'a.test.ts > one', reason: 'there is no apt-get' }] };
  const { lines, exitCode } = summarize(checks, tally, 1);
  expect(lines).toContain('  a.test.ts > one: there is no apt-get');
  expect(lines.at(-1)).toBe('5 passed, 0 failed, 1 skipped');
  expect(exitCode).toBe(0);
});

const folder = mkdtempSync(join(tmpdir(), 'switchyard-check-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `tests/check.ts` in a house that holds these files and nothing else. */
async function runCheck(
  files: Record<string, string>,
  onOutput?: (output: string, child: ChildProcess) => void,
): Promise<{ output: string; code: number | null }> {
  const place = mkdtempSync(join(folder, 'house-'));
  mkdirSync(join(place, 'tests'));
  symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'));
  for (const name of ['check', 'summary', 'tally', 'tree', 'boundaries'])
    copyFileSync(join(root, `tests/${name}.ts`), join(place, `tests/${name}.ts`));
  writeFileSync(join(place, 'package.json'), '{\n  "type": "module"\n}\n');
  for (const name of ['tsconfig.json', '.oxlintrc.json', '.oxfmtrc.json'])
    copyFileSync(join(root, name), join(place, name));
  const dashboard = join(place, 'observability/dashboard');
  mkdirSync(dashboard, { recursive: true });
  writeFileSync(
    join(dashboard, 'tsconfig.json'),
    '{ "extends": "../../tsconfig.json", "include": ["*.ts"] }\n',
  );
  writeFileSync(join(dashboard, 'page.ts'), 'export const page = true;\n');
  for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text);
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], NO_COLOR: '1' };
  const child = spawn(process.execPath, ['tests/check.ts'], { cwd: place, env, stdio: 'pipe' });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      onOutput?.(output, child);
    });
  const code = await new Promise<number | null>((resolve) => void child.on('close', resolve));
  return { output, code };
}

const head = `import { expect, test } from 'vitest';\n\n`;

test('check: a good house passes, and says what was skipped and why', async () => {
  const { output, code } = await runCheck({
    'tests/one.test.ts':
      `${head}test('one: holds', () => expect(1).toBe(1));\n\n` +
      `test('two: cannot be had', (context) => context.skip('there is no second'));\n\n` +
      `test.skip('three: neither (skipped: there is no third)', () => expect(1).toBe(2));\n`,
  });
  expect(output).toContain('tests/one.test.ts > two: cannot be had: there is no second');
  expect(output).toContain('tests/one.test.ts > three: neither: there is no third');
  expect(output.trimEnd().split('\n').at(-1), output).toBe('6 passed, 0 failed, 2 skipped');
  expect(code).toBe(0);
});

test('check: each kind of fault is found, and named in the summary', async () => {
  const { output, code } = await runCheck({
    'tests/one.test.ts': `${head}test('one: fails', () => expect(1).toBe(2));\n\ntest.skip('two: why?', () => {});\n`,
    'tests/two.test.ts': `import './absent.ts';\n\nimport { test } from 'vitest';\n\ntest('never', () => {});\n`,
    'tests/untyped.ts': `export const count: number = 'one';\n`,
    'tests/floating.ts': `export function go(): void {\n  Promise.resolve(1);\n}\n`,
    'tests/crooked.ts': `export const   crooked = "x"\n`,
    'elsewhere.mjs': `export * from './tests/crooked.ts';\n`,
  });
  const summary = output.slice(output.lastIndexOf('── Summary'));
  expect(summary).toMatch(/boundaries FAILED.*types FAILED.*lint FAILED.*formatting FAILED/);
  expect(summary).toContain('tests/one.test.ts > one: fails');
  expect(summary).toContain('tests/one.test.ts > two: why?: skipped without a reason');
  expect(summary).toMatch(/tests\/two\.test\.ts: .*absent/);
  expect(output.trimEnd().split('\n').at(-1), output).toBe('1 passed, 7 failed, 0 skipped');
  expect(code).toBe(1);
});

test('check: told to stop, it ends with all that its tests have started', async () => {
  let pid: number | undefined;
  const { code } = await runCheck(
    {
      'tests/one.test.ts':
        `import { spawn } from 'node:child_process';\nimport { test } from 'vitest';\n\n` +
        `test('one: never ends', () => new Promise(() => console.log('pid', spawn('sleep', ['1000']).pid)));\n`,
    },
    (output, child) => {
      if (pid !== undefined) return;
      const said = /pid (\d+)/.exec(output)?.[1];
      if (said === undefined) return;
      pid = Number(said);
      child.kill('SIGINT');
    },
  );
  expect(code).toBe(130);
  expect(pid).toBeGreaterThan(0);
  await vi.waitFor(() => expect(identifyProcess(pid!)).toBeUndefined(), 5000);
});

test('check: no key and no mesh of the person reaches a test', () => {
  const environment: Record<string, string | undefined> = {
    PATH: '/bin',
    HOME: '/home/one',
    OPENAI_API_KEY: 'canary',
    GITHUB_TOKEN: 'canary',
    SWITCHYARD_STATE: '/elsewhere',
    SWITCHYARD_BWRAP: '/bin/bwrap',
  };
  clean(environment);
  expect(environment).toEqual({ PATH: '/bin', HOME: '/home/one', SWITCHYARD_BWRAP: '/bin/bwrap' });
  expect(process.env['SWITCHYARD_STATE']).toBeUndefined();
});
