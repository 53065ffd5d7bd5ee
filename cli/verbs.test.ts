import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exampleEvent } from '../schemas/examples.ts';
import type { Role } from '../schemas/row.ts';
import { adderTest } from '../tests/scenes.ts';
import { namespace, openYard, type Yard } from '../tests/yard.ts';
import { builtProgram } from '../tests/built-program.ts';

// One mesh, used from top to bottom as a person would: the tests follow each other.
let yard: Yard;
let environment: NodeJS.ProcessEnv;
beforeAll(async () => {
  yard = await openYard({ processes: {} });
  environment = {
    PATH: process.env['PATH'],
    HOME: yard.area,
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
  };
});
afterAll(() => yard?.stop());

interface Ended {
  code: number;
  out: string;
  error: string;
  lines(): Record<string, never>[];
}

function switchyard(...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const command = [builtProgram('cli/main.ts'), ...words];
    const child = execFile(
      process.execPath,
      command,
      { cwd: yard.area, timeout: 120_000, env: { ...environment, SWITCHYARD_STATE: yard.stateDirectory } },
      (_, out, error) =>
        resolve({
          code: child.exitCode ?? -1,
          out,
          error,
          lines: () =>
            out
              .trim()
              .split('\n')
              .map((line) => JSON.parse(line) as Record<string, never>),
        }),
    );
  });
}

const hasTerminal = existsSync('/usr/bin/script');
let watchedOnTerminal: Promise<{ code: number | null; out: string }>;

/** The command on a terminal of 100 columns, which script(1) makes. */
function onTerminal(...words: string[]): Promise<{ code: number | null; out: string }> {
  const command = ['stty rows 30 cols 100;', process.execPath, builtProgram('cli/main.ts'), ...words].join(
    ' ',
  );
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: yard.area,
    env: { ...environment, SWITCHYARD_STATE: yard.stateDirectory, TERM: 'xterm-256color' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  return new Promise((resolve) => void child.once('close', (code) => resolve({ code, out })));
}

const git = (...words: string[]) =>
  execFileSync('git', words, { cwd: yard.repository, encoding: 'utf8' }).trim();
let queued: string;
let fixed: string;

test('verbs: while only the broker runs a task is queued, and the verb says so at once', async () => {
  const { code, out, error } = await switchyard(
    'submit',
    '--repo',
    yard.repository,
    '--goal',
    'Make the tests pass',
    '--test',
    adderTest,
    '--cycles',
    '1',
  );
  expect(code).toBe(0);
  expect(error).toContain('queued, nothing is lost: no manager is alive');
  expect(error).toContain('./switchyard start manager');
  queued = out.trim();
  const status = await switchyard('status', '--json');
  expect(JSON.parse(status.out)).toMatchObject({
    absentRoles: expect.arrayContaining(['manager', 'coder']),
    backlogs: expect.arrayContaining([{ consumer: 'submit', waiting: 1, inHand: 0 }]),
  });
});

test('verbs: watch follows the queued task to its end once roles start, and exits by it', async () => {
  const watching = switchyard('watch', queued);
  if (hasTerminal) watchedOnTerminal = onTerminal('watch', queued);
  await Promise.all(
    (['manager', 'router', 'inference', 'coder', 'reviewer'] as Role[]).map((role) => yard.start(role)),
  );
  const { code, out, error } = await watching;
  expect(error).toContain('accepted: Make the tests pass');
  expect(error).toContain('scripted replies');
  expect(out).toContain(`completed ${queued}`);
  expect(out).toContain('scripted: the replies were written beforehand, not by a model');
  expect(out).toContain('+export const add = (one, other) => one + other;');
  expect(out).toContain(`./switchyard apply ${queued}`);
  expect(code).toBe(0);
});

test('verbs: on a terminal watch took the screen, drew it in place, gave it back and printed what it was', async (context) => {
  if (!hasTerminal) context.skip('there is no script(1) here to make a terminal');
  const { code, out } = await watchedOnTerminal;
  const [taken, given] = ['\u001B[?1049h', '\u001B[?1049l'].map((mark) => out.indexOf(mark)) as [
    number,
    number,
  ];
  expect(taken).toBeGreaterThanOrEqual(0);
  expect(given).toBeGreaterThan(taken);
  const [drawn, printed] = [out.slice(taken, given), out.slice(given)];
  // From the upper left corner, over what stands there, again and again.
  expect(drawn.split('\u001B[H').length).toBeGreaterThan(3);
  expect(drawn).toContain('Make the tests pass');
  expect(printed).not.toContain('\u001B[H');
  expect(stripVTControlCharacters(printed)).toContain('accepted: Make the tests pass');
  expect(stripVTControlCharacters(printed)).toContain(`completed ${queued}`);
  expect(code).toBe(0);
});

test('verbs: fix allows what it names, and with --json ends in the one result', async () => {
  const other = yard.makeRepository('other', {
    'check.js': 'process.exit(1)\n',
    'add.js': 'export const add = (one, other) => one - other;\n',
  });
  writeFileSync(join(other, 'mine.txt'), 'not committed\n');
  const { code, lines } = await switchyard(
    'fix',
    join('..', relative(dirname(yard.area), other)),
    '--test',
    'node --check add.js',
    '--setup',
    'true',
    '--goal',
    'Add right',
    '--json',
  );
  expect(readFileSync(join(yard.stateDirectory, 'allowed.yaml'), 'utf8')).toContain('node --check add.js');
  const all = lines();
  const { result } = all.at(-1)! as unknown as {
    result: { taskId: string; state: string; notes: string[]; exitCode: number };
  };
  fixed = result.taskId;
  expect(all.filter((line) => 'result' in line)).toHaveLength(1);
  expect(all[0]).toMatchObject({ event: { type: 'dev.switchyard.task.accepted.v1' } });
  expect(result.notes).toEqual([expect.stringMatching(/1 .*uncommitted changes are left as they are/)]);
  expect(result.exitCode).toBe(code);
  expect(result.state).toBe('completed');
});

test('verbs: list shows both, filters by state, and `latest` is the newest', async () => {
  const all = JSON.parse((await switchyard('list', '--json')).out) as { taskId: string }[];
  expect(all.map((one) => one.taskId)).toEqual([fixed, queued]);
  expect((await switchyard('list', '--state-is', 'paused')).out).toBe('no tasks\n');
  const { out } = await switchyard('list', '--limit', '1');
  expect(out).toContain(fixed.slice(0, 8));
  expect(out).toContain('and 1 more');
});

test('verbs: status shows who is alive with what they can do', async () => {
  const { out, code } = await switchyard('status');
  expect(code).toBe(0);
  expect(out).toMatch(/coder +coder\.[0-9a-f]{8} +\d+\/\d+ +\d+ MiB/);
  expect(out).toContain('pool:scripted');
  expect(out).toContain('no live process of the role planner: ./switchyard start planner');
});

test('verbs: what does not apply says what does', async () => {
  for (const words of [
    ['cancel', queued],
    ['resume', queued.slice(0, 8)],
    ['answer', queued, 'yes'],
  ]) {
    const { code, error } = await switchyard(...words);
    expect(error).toContain(`${words[0]} does not apply: the task is completed`);
    expect(error).toContain(`./switchyard apply ${queued}`);
    expect(code).toBe(1);
  }
  const unknown = '00000000-0000-5000-8000-000000000000';
  expect(await switchyard('pause', unknown)).toMatchObject({
    code: 1,
    error: expect.stringContaining(`there is no task ${unknown}`),
  });
});

test('verbs: apply refuses what would overwrite changes, then merges, once', async () => {
  const before = git('rev-parse', 'HEAD');
  writeFileSync(join(yard.repository, 'add.js'), '// mine\n');
  const refused = await switchyard('apply', queued);
  expect(refused).toMatchObject({ code: 1, error: expect.stringMatching(/uncommitted changes.*add\.js/) });
  expect(git('rev-parse', 'HEAD')).toBe(before);
  expect(readFileSync(join(yard.repository, 'add.js'), 'utf8')).toBe('// mine\n');
  git('checkout', '--', 'add.js');
  expect(await switchyard('apply', queued)).toMatchObject({
    code: 0,
    out: expect.stringContaining('fast-forward'),
  });
  expect(readFileSync(join(yard.repository, 'add.js'), 'utf8')).toContain('one + other');
  expect(await switchyard('apply', queued)).toMatchObject({
    code: 0,
    out: expect.stringContaining('it was there already'),
  });
});

test('verbs: a task that needs a person exits 7, and answer, resume and cancel say what came of them', async () => {
  // The tests pass now, so there is nothing to do.
  const paused = await switchyard('fix', yard.repository, '--test', adderTest);
  expect(paused.code).toBe(7);
  expect(paused.out).toContain('go on    ./switchyard answer');
  const id = /paused (\S+)/.exec(paused.out)![1]!;
  expect(await switchyard('apply', id)).toMatchObject({
    code: 1,
    error: expect.stringContaining('only a completed one is applied'),
  });
  expect(await switchyard('approve', id)).toMatchObject({
    code: 1,
    error: expect.stringContaining('the task is paused (question'),
  });
  expect(await switchyard('resume', id, '--cycles', '1', '--watch')).toMatchObject({
    code: 7,
    error: expect.stringContaining('review cycles left 3/3'),
  });
  const cancelled = await switchyard('cancel', id, '--reason', 'enough', '--json');
  expect(JSON.parse(cancelled.out)).toEqual({ taskId: id, event: 'task.cancelled', state: 'cancelled' });
  expect((await switchyard('watch', id)).code).toBe(3);
});

test('verbs: an unattended task whose scripted patch no longer fits exits 5, says how it is tried again, and is over', async () => {
  const changed = yard.makeRepository('changed', {
    'add.js': 'export const add = (left, right) => left - right;\n',
    'check.js': "import { add } from './add.js';\nif (add(1, 2) !== 3) process.exit(1);\n",
    'package.json': '{ "type": "module" }\n',
  });
  const failed = await switchyard('fix', changed, '--test', adderTest, '--unattended');
  expect(failed.code).toBe(5);
  expect(failed.error).toContain('failed (model): ');
  expect(failed.out).toMatch(/reason +.*no longer fits/);
  const again = `./switchyard submit --repo ${changed} --test '${adderTest}'`;
  expect(failed.out).toContain(again);
  const id = /failed (\S+)/.exec(failed.out)![1]!;
  expect(await switchyard('resume', id)).toMatchObject({
    code: 1,
    error: expect.stringContaining(
      `resume does not apply: the task is failed and unattended. What does: ${again}`,
    ),
  });
  expect(await yard.problemsOf(id, changed)).toEqual([]);
});

test('verbs: what fix is given is allowed only where it is a repository, and not after a rejection', async () => {
  const file = join(yard.stateDirectory, 'allowed.yaml');
  const before = readFileSync(file, 'utf8');
  for (const [directory, why] of [
    ['/', 'the whole machine'],
    ['/etc', 'not a git repository'],
    [yard.area, 'your home folder'],
  ] as const) {
    const { code, error } = await switchyard('fix', directory, '--test', 'make surely');
    expect(error).toContain(why);
    expect(code).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe(before);
  }
  const other = yard.makeRepository('rejected', { 'a.txt': 'a\n' });
  const rejected = ['fix', other, '--test', 'make surely', '--setup', 'true', '--model', 'nobody'];
  for (const words of [rejected, [...rejected, '--no-watch']]) {
    const { code, error } = await switchyard(...words);
    expect(error).toContain('model: "nobody" is not configured');
    expect(error).toContain('what was allowed for it is taken back');
    expect(code).toBe(5);
    expect(readFileSync(file, 'utf8')).toBe(before);
  }
});

test('verbs: config allowed lists what was allowed, and --remove takes it back', async () => {
  const listed = await switchyard('config', 'allowed');
  expect(listed.out).toMatch(/repositories\n  \S*other\n/);
  expect(listed.out).toContain('  node --check add.js\n');
  const removed = await switchyard('config', 'allowed', '--remove', 'node --check add.js', '--json');
  expect(JSON.parse(removed.out)).toMatchObject({ tests: [adderTest], setups: ['true'] });
  expect((await switchyard('config', 'allowed')).out).not.toContain('node --check');
  expect(await switchyard('config', 'allowed', '--remove', 'node --check add.js')).toMatchObject({
    code: 1,
    error: expect.stringContaining('was not allowed by naming it'),
  });
});

test('verbs: the same source and id is the same task; a rejection gives every reason and exits 5', async () => {
  const words = [
    'submit',
    '--repo',
    yard.area,
    '--test',
    'rm -rf /',
    '--model',
    'nobody',
    '--source',
    'ci',
    '--id',
    'build-1',
  ];
  const first = await switchyard(...words);
  expect(first.code).toBe(5);
  for (const reason of [
    'repository:',
    'test: "rm -rf /" is not allowed',
    'model: "nobody" is not configured',
  ])
    expect(first.error).toContain(reason);
  expect((await switchyard(...words)).out).toBe(first.out);
});

test('verbs: obs debugs a role or a process for a time, and says so; what does not fit together is refused', async () => {
  const obs = async (...words: string[]) => {
    const { code, out } = await switchyard('obs', ...words, '--json');
    return { code, ...(JSON.parse(out) as { mode?: string; windows?: Record<string, unknown>[] }) };
  };
  const inMs = (one: Record<string, unknown> | undefined) => (one?.['untilMs'] as number) - Date.now();
  const ofRole = await obs('debug', '--for', '90s', '--role', 'coder');
  expect(ofRole).toMatchObject({ code: 0, mode: 'shipping' });
  const coder = ofRole.windows!.find((one) => one['role'] === 'coder');
  expect(coder).toMatchObject({ mode: 'debug' });
  expect(inMs(coder)).toBeGreaterThan(30_000);
  expect(inMs(coder)).toBeLessThanOrEqual(90_000);
  const [alive] = /coder\.[0-9a-f]{8}/.exec((await switchyard('status')).out)!;
  const ofProcess = await obs('debug', '--process', alive);
  const one = ofProcess.windows!.find((window) => window['process'] === alive);
  expect(inMs(one)).toBeGreaterThan(240_000);
  expect(ofProcess.windows).toHaveLength(ofRole.windows!.length + 1);
  expect(await obs('shipping')).toMatchObject({ code: 0, mode: 'shipping' });
  expect(await switchyard('obs', 'debug', '--process', 'coder.1')).toMatchObject({
    code: 1,
    error: expect.stringContaining('no process that is alive is called "coder.1"') as string,
  });
  for (const [wrong, why] of [
    [['debug', '--role', 'coder', '--process', 'coder.1'], '--role and --process name two things'],
    [['shipping', '--for', '1m'], '--for is for debug'],
    [['debug', '--role', 'codre'], 'coder'],
    [['debug', '--for', 'long'], 'long'],
  ] as const)
    expect(await switchyard('obs', ...wrong)).toMatchObject({
      code: 2,
      error: expect.stringContaining(why) as string,
    });
});

test('verbs: an answer without words is refused before it is sent', async () => {
  for (const nothing of ['', '  ']) {
    const { code, error } = await switchyard('answer', queued, nothing);
    expect(error).toContain('the answer is empty');
    expect(error).not.toContain('data.answer');
    expect(code).toBe(2);
  }
});

test('verbs: what could not be handled is listed, shown and put back', async () => {
  await yard.admin.jetstream.publish(`${namespace}.submit`, 'this is no JSON');
  const letters = async () =>
    JSON.parse((await switchyard('dead', 'list', '--json')).out) as {
      id: string;
      subject: string;
      body: string;
    }[];
  await expect.poll(async () => (await letters()).length).toBe(1);
  const [letter] = await letters();
  expect(letter).toMatchObject({ subject: `${namespace}.submit`, body: 'this is no JSON' });
  expect(await switchyard('dead', 'show', letter!.id.slice(0, 6))).toMatchObject({
    code: 0,
    out: expect.stringMatching(/JSON/),
  });
  expect(await switchyard('dead', 'retry', letter!.id)).toMatchObject({ code: 0 });
  await expect.poll(async () => (await letters()).length).toBe(2);
  expect((await switchyard('status')).out).toContain('2 dead letters');
  expect((await switchyard('dead', 'show', 'zzz')).code).toBe(1);
});

test('verbs: replay prints the record in order, and every decision comes out equal', async () => {
  const { code, out } = await switchyard('replay', queued, '--json');
  expect(code).toBe(0);
  const sequences = out
    .trim()
    .split('\n')
    .flatMap((line) => (JSON.parse(line) as { sequence?: number }).sequence ?? []);
  expect(sequences).toEqual((await yard.events(queued)).map((one) => one.sequence));
  for (const taskId of [queued, fixed]) {
    expect(await switchyard('replay', taskId, '--verify')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^equal: /),
    });
  }
});

test('verbs: replay --verify finds an entry that nobody signed', async () => {
  const forged = { ...exampleEvent('task.cancelled'), subject: queued };
  await yard.admin.jetstream.publish(`${namespace}.event.${queued}.task`, JSON.stringify(forged));
  const { code, out } = await switchyard('replay', queued, '--verify');
  expect(code).toBe(1);
  expect(out).toContain('NOT equal');
  expect(out).toContain('it is not signed by the manager for this journal');
});
