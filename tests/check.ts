import { spawn, type ChildProcess } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { boundaryProblems } from './boundaries.ts';
import { summarize, type Check } from './summary.ts';
import type { Tally } from './tally.ts';
import { root, sourceFiles, textOf } from './tree.ts';

/** `npm test`: all checks and all tests, then one summary. Exit code 0 only if nothing failed. */
const programs = join(root, 'node_modules', '.bin');
const environment = { ...process.env, PATH: [programs, process.env['PATH']].join(delimiter) };
const running = new Set<ChildProcess>();
const startedAtMs = Date.now();
const secondsSince = (fromMs: number): number => (Date.now() - fromMs) / 1000;
const heading = (text: string): void => console.log(`\n── ${text} ──`);

// Each child leads a group of its own, so that what it has started ends with it.
function start(
  program: string,
  args: string[],
  stdio: 'pipe' | ['ignore', 'inherit', 'inherit', 'ipc'],
): ChildProcess {
  const child = spawn(join(programs, program), args, { cwd: root, env: environment, stdio, detached: true });
  running.add(child);
  child.on('close', () => {
    end(child, 'SIGKILL');
    running.delete(child);
  });
  return child;
}

/** Set once a signal has told us to stop. */
let stopCode: number | undefined;
const signals = { SIGINT: 130, SIGTERM: 143 };
for (const [signal, exitCode] of Object.entries(signals))
  process.on(signal, () => {
    stopCode = exitCode;
    console.log(`\n${signal}: stopping`);
    endAll('SIGTERM');
    setTimeout(() => endAll('SIGKILL'), 2000);
  });

function endAll(how: NodeJS.Signals): void {
  for (const child of running) end(child, how);
}

/** Signals a child and whatever it has left behind. */
function end(child: ChildProcess, how: NodeJS.Signals): void {
  try {
    if (child.pid) process.kill(-child.pid, how);
  } catch {
    // Nobody is left.
  }
}

/** Runs a checker to its end and shows what it said, if it found anything. */
async function check(name: string, program: string, args: string[]): Promise<Check> {
  const fromMs = Date.now();
  const child = start(program, args, 'pipe');
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => void (output += text));
  const passes = await ended(child, (problem) => void (output += problem));
  return shown({ name, passes, seconds: secondsSince(fromMs) }, output);
}

function checkBoundaries(): Check {
  const fromMs = Date.now();
  const problems = sourceFiles().flatMap((path) => boundaryProblems(path, textOf(path)));
  return shown(
    { name: 'boundaries', passes: problems.length === 0, seconds: secondsSince(fromMs) },
    problems.join('\n'),
  );
}

function shown(result: Check, output: string): Check {
  heading(`${result.name}: ${result.passes ? 'passed' : 'FAILED'} in ${result.seconds.toFixed(1)} s`);
  if (!result.passes) console.log(output.trim());
  return result;
}

/** Resolves with whether a child ended well. */
function ended(child: ChildProcess, say: (problem: string) => void): Promise<boolean> {
  return new Promise((resolve) => {
    child.on('error', (error) => {
      say(`${error.message}; run \`node setup/install.mjs\` first\n`);
      resolve(false);
    });
    child.on('close', (code) => resolve(code === 0));
  });
}

/** Runs every test; progress is shown as it comes. Undefined where the run broke off. */
async function runTests(): Promise<Tally | undefined> {
  heading('tests');
  const reporters = ['--reporter=default', '--reporter=./tests/tally.ts'];
  const child = start(
    'vitest',
    ['run', ...reporters, ...process.argv.slice(2)],
    ['ignore', 'inherit', 'inherit', 'ipc'],
  );
  let tally: Tally | undefined;
  child.on('message', (message) => void (tally = message as Tally));
  const passes = await ended(child, (problem) => console.log(problem));
  if (tally && !passes && tally.failed.length === 0) tally.failed.push('the test run itself (see above)');
  return tally;
}

heading('types, lint, formatting, boundaries');
const checks = [
  checkBoundaries(),
  ...(await Promise.all([
    check('types', 'tsc', ['--noEmit', '-p', '.']),
    check('types of the dashboard', 'tsc', ['--noEmit', '-p', 'observability/dashboard']),
    check('lint', 'oxlint', ['--type-aware', '--deny-warnings', '.']),
    check('formatting', 'oxfmt', ['--check', '.']),
  ])),
];
const tally = stopCode === undefined ? await runTests() : undefined;
if (stopCode !== undefined) process.exit(stopCode);
const summary = summarize(checks, tally, secondsSince(startedAtMs));
console.log(summary.lines.join('\n'));
process.exit(summary.exitCode);
