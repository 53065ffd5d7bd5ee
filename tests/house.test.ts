import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { boundaryProblems, importsOf } from './boundaries.ts';
import { ownFiles, root, sourceFiles, textOf } from './tree.ts';

test.each([
  ['schemas/task.ts', `import { connect } from '../bus/connect.ts';`, 'schemas import nothing of ours'],
  ['bus/journal.ts', `import { load } from '../config/load.ts';`, 'bus imports schemas'],
  ['bus/journal.ts', `import { startTestServer } from './server-fixture.ts';`, 'made for tests'],
  ['config/load.ts', `import type { Bus } from '../bus/connect.ts';`, 'config imports schemas'],
  ['tools/read-file.ts', `export * from '../bus/log.ts';`, 'tools imports schemas'],
  ['agents/run.ts', `import { send } from '../bus/relay.ts';`, 'a pure file'],
  ['agents/run.ts', `import { readFile } from 'node:fs/promises';`, 'a pure file'],
  ['agents/run.ts', `import { perform } from './act.ts';`, 'a pure file'],
  ['agents/manager/plan.ts', `import { policy } from '../../tools/policy.ts';`, 'a pure file'],
  ['agents/manager/plan.ts', `import pino from 'pino';`, 'logging is bus/log.ts'],
  ['agents/act.ts', `import { append } from '../bus/journal.ts';`, 'never bus'],
  ['agents/main.ts', `import { openPool } from '../tools/workspace.ts';`, 'a main.ts wires its own room'],
  ['agents/main.ts', `import { route } from '../router/route.ts';`, 'agents meet on the bus alone'],
  ['router/route.ts', `import { evolve } from '../agents/run-state.ts';`, 'a pure file'],
  ['router/route.ts', `import { headers } from '@nats-io/nats-core';`, 'NATS is spoken in bus'],
  ['inference/call.ts', `import { openai } from './backends/openai.ts';`, 'a pure file'],
  ['inference/act.ts', `import OpenAI from 'openai';`, 'keys held, in inference/backends'],
  ['inference/backends/openai.ts', `import { openLog } from '../../bus/log.ts';`, 'never bus'],
  ['observability/timeline.ts', `import { watch } from '../bus/client.ts';`, 'a pure file'],
  ['observability/main.ts', `import { openShell } from '../bus/serve.ts';`, 'observability is a subscriber'],
  ['observability/main.ts', `import './telemetry.ts';`, 'telemetry is preloaded'],
  ['cli/status.ts', `import { decide } from '../agents/run.ts';`, 'the command imports'],
  ['cli/start.ts', `import '../router/main.ts';`, 'start it, do not import it'],
  ['replay/verify.ts', `import { fold } from '../bus/journal.ts';`, 'replay decides again'],
  ['bus/launcher.ts', `import { up } from '../cli/up.ts';`, 'nobody imports the command'],
  ['tools/git.ts', `import { root } from '../tests/tree.ts';`, 'made for tests'],
  ['tools/git.ts', `import { test } from 'vitest';`, 'it is for tests'],
  ['plugins/one.ts', `import 'node:fs';`, 'no rule says'],
])('house: %s may not say %s', (path, source, rule) => {
  expect(boundaryProblems(path, source)).toEqual([expect.stringContaining(rule)]);
});

test.each([
  ['over several lines', `import {\n  one,\n  type Two,\n} from '../bus/log.ts';`],
  ['for its type', `import type { Log } from "../bus/log.ts";`],
  ['whole', `import * as log from '../bus/log.ts';`],
  ['for its effect', `import '../bus/log.ts';`],
  ['passed on', `export { openLog } from '../bus/log.ts';`],
  ['later', `const { openLog } = await import('../bus/log.ts');`],
  ['by an old name', `const log = require('../bus/log.ts');`],
  ['as a worker', `new Worker(new URL('../bus/log.ts', import.meta.url));`],
  ['behind another', `import { join } from 'node:path'; import { openLog } from '../bus/log.ts';`],
])('house: an import is seen that is made %s', (_, source) => {
  expect(importsOf(source).map((one) => one.specifier)).toContain('../bus/log.ts');
  expect(boundaryProblems('tools/git.ts', source)).toHaveLength(1);
});

test('house: an import is not seen where there is none, and a computed one is refused', () => {
  const innocent = `// import { a } from '../cli/up.ts';\n/**\n * import('../cli/up.ts')\n */\nconst from = 'x';`;
  expect(boundaryProblems('tools/git.ts', innocent)).toEqual([]);
  expect(boundaryProblems('tools/git.ts', 'await import(name);')).toEqual([
    expect.stringContaining('computed'),
  ]);
});

test('house: nobody imports what the rules forbid', () => {
  const files = sourceFiles();
  // An empty list would pass everything.
  expect(files.length).toBeGreaterThan(200);
  expect(files.flatMap((path) => importsOf(textOf(path))).length).toBeGreaterThan(1000);
  expect(files.flatMap((path) => boundaryProblems(path, textOf(path)))).toEqual([]);
});

const copy = mkdtempSync(join(tmpdir(), 'switchyard-house-'));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Lints one planted file in a copy of the house that holds nothing else, and returns the rules it broke. */
function lint(path: string, source: string): string[] {
  for (const file of ['.oxlintrc.json', 'tsconfig.json', 'package.json'])
    copyFileSync(join(root, file), join(copy, file));
  rmSync(join(copy, 'node_modules'), { force: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  mkdirSync(dirname(join(copy, path)), { recursive: true });
  writeFileSync(join(copy, path), source);
  const args = ['--type-aware', '-f', 'json', path];
  let output: string;
  try {
    output = execFileSync(join(root, 'node_modules/.bin/oxlint'), args, { cwd: copy, encoding: 'utf8' });
  } catch (failure) {
    output = (failure as { stdout: string }).stdout;
  }
  const { diagnostics } = JSON.parse(output) as { diagnostics: { code: string }[] };
  return diagnostics.map((one) => one.code.replace(/^.*\((.*)\)$/, '$1'));
}

test.each([
  ['the clock', 'agents/manager/plan.ts', 'export const now = () => Date.now();', ['no-restricted-globals']],
  ['a date', 'router/rules.ts', 'export const day = () => new Date(0);', ['no-restricted-globals']],
  ['chance', 'inference/call.ts', 'export const n = () => Math.random();', ['no-restricted-properties']],
  ['the process', 'agents/run.ts', 'export const home = () => process.cwd();', ['no-restricted-globals']],
  ['a timer', 'replay/fold.ts', 'export const t = () => setTimeout(() => {}, 1);', ['no-restricted-globals']],
  ['what acts', 'agents/act.ts', 'export const n = () => Date.now() + Math.random() + process.pid;', []],
  ['the bus', 'bus/serve.ts', 'export const now = () => Date.now();', []],
  [
    'a lost promise',
    'bus/a.ts',
    'export function go() { Promise.reject(new Error()); }',
    ['no-floating-promises'],
  ],
  ['a word on the console', 'bus/a.ts', 'export const say = () => console.log(1);', ['no-console']],
  [
    'a test alone',
    'bus/a.test.ts',
    'import { test } from "vitest"; test.only("x", () => {});',
    ['no-focused-tests'],
  ],
  [
    'a forgotten event',
    'bus/a.ts',
    'export function f(x: "a" | "b") { switch (x) { case "a": return 1; } return 2; }',
    ['switch-exhaustiveness-check'],
  ],
  [
    'a default for it',
    'bus/a.ts',
    'export function f(x: "a" | "b") { switch (x) { case "a": return 1; default: return 2; } }',
    ['switch-exhaustiveness-check'],
  ],
])('house: the lint judges %s in %s', (_, path, source, codes) => {
  expect(lint(path, `${source}\n`)).toEqual(codes);
});

/** Longer than others, each for its reason. */
const longFiles = new Map([
  ['bus/serve.ts', 500], // One shell, one order of steps: taken apart it could not be read in that order.
]);

test('house: files stay small', () => {
  const tooLong = sourceFiles().flatMap((path) => {
    const lines = textOf(path).split('\n').length - 1;
    const limit = longFiles.get(path) ?? (/\.test\.ts$|^tests\//.test(path) ? 600 : 350);
    return lines > limit ? [`${path} has ${lines} lines, more than ${limit}: take it apart`] : [];
  });
  expect(tooLong).toEqual([]);
});

test('house: names are kebab-case and say what a thing is', () => {
  const paths = ownFiles('**/*.{ts,tsx,mjs}');
  const vague = paths.filter((path) =>
    /(^|[/-])(utils?|helpers?|common|core|misc|shared)([/.-]|$)/.test(path),
  );
  expect(vague.map((path) => `${path}: name it after what it is about`)).toEqual([]);
  const shape =
    /^(?:[a-z0-9-]+\/)*[a-z0-9]+(?:-[a-z0-9]+)*(?:\.property)?(?:\.(?:test|config|gen|d))?\.(?:tsx?|mjs)$/;
  expect(paths.filter((path) => !shape.test(path))).toEqual([]);
});

test('house: no barrel: a file that only passes others on', () => {
  const barrels = sourceFiles().filter((path) => /^export \* from/m.test(textOf(path)));
  expect(barrels).toEqual([]);
});
