import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, type TestContext } from 'vitest';
import { runProgram, type ProgramRequest, type ProgramResult } from './program.ts';
import { sandboxForTests } from './sandbox-for-tests.ts';
import type { Sandbox } from './tool.ts';

const held = await sandboxForTests();
const free: Sandbox = { level: 'none', why: 'the test wants none' };
const needSandbox = (context: TestContext): void => {
  if (held.level === 'none') context.skip(held.why);
};

let area: string;
let worktree: string;
let git: string;

beforeEach(() => {
  area = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-program-')));
  worktree = join(area, 'state/worktree');
  git = join(area, 'state/mirror.git');
  mkdirSync(worktree, { recursive: true });
  mkdirSync(git);
  writeFileSync(join(git, 'HEAD'), 'ref');
  writeFileSync(join(worktree, '.git'), `gitdir: ${git}\n`);
  writeFileSync(join(area, 'secret'), 'secret');
});
afterEach(() => rmSync(area, { recursive: true, force: true }));

async function run(
  source: string,
  more: Partial<ProgramRequest> = {},
): Promise<ProgramResult & { ran: true }> {
  writeFileSync(join(worktree, 'program.mjs'), source);
  const result = await runProgram({
    argv: ['node', 'program.mjs'],
    directory: worktree,
    readOnly: [git],
    sandbox: held,
    withoutSandbox: 'refuse',
    timeoutMs: 20_000,
    outputBytes: 10_000,
    ...more,
  });
  if (!result.ran) throw new Error(result.reason);
  return result;
}

/** Tries something in the program and prints its result or the error's code. */
const trying = (expression: string): string => `
  import * as fs from 'node:fs'; import * as net from 'node:net'; import * as os from 'node:os';
  try { console.log('did', await (async () => ${expression})()) } catch (error) { console.log('failed', error.code) }`;

const alive = (pid: number): boolean => {
  try {
    // A killed process stays a zombie until its parent looks; in the process table only its state tells.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

test('sandbox: the program writes in the worktree and nowhere else', async (context) => {
  needSandbox(context);
  expect((await run(trying(`fs.writeFileSync('made', 'x')`))).output).toMatch(/^did/);
  expect(existsSync(join(worktree, 'made'))).toBe(true);
  const outside = [
    '../escaped',
    `${area}/escaped`,
    '/usr/escaped',
    '/etc/passwd',
    '.git',
    `${git}/HEAD`,
    '/proc/sys/kernel/core_pattern',
  ];
  for (const path of outside) {
    await run(trying(`fs.writeFileSync(${JSON.stringify(path)}, 'x')`));
  }
  expect(existsSync(join(area, 'escaped'))).toBe(false);
  expect(existsSync(join(area, 'state/escaped'))).toBe(false);
  expect(existsSync('/usr/escaped')).toBe(false);
  expect(readFileSync(join(git, 'HEAD'), 'utf8')).toBe('ref');
  expect(readFileSync(join(worktree, '.git'), 'utf8')).toBe(`gitdir: ${git}\n`);
  expect((await run(trying(`fs.writeFileSync('.git', 'x')`))).output).toMatch(/^failed E(ROFS|ACCES|PERM)/);
  expect((await run(trying(`fs.renameSync('.git', 'moved')`))).output).toMatch(/^failed E/);
  // Opened for writing only: where the sandbox has a hole, the test must not change the machine's kernel.
  const settings = ['kernel/core_pattern', 'kernel/printk', 'vm/swappiness', 'fs/file-max'];
  const opened = await run(`
    import { closeSync, openSync } from 'node:fs';
    for (const name of ${JSON.stringify(settings)}) {
      try { closeSync(openSync('/proc/sys/' + name, 'r+')); console.log('hole', name); } catch (error) { console.log(error.code); }
    }`);
  expect(opened.output).toMatch(/^((EROFS|EACCES|EPERM)\n){4}$/);
});

test('sandbox: the program cannot mount the system writable again', async (context) => {
  needSandbox(context);
  const result = await run(`
    import { spawnSync } from 'node:child_process';
    for (const words of [['mount', '-o', 'remount,rw', '/usr'], ['umount', '.git']]) {
      const { status, error } = spawnSync(words[0], words.slice(1)); console.log(words[0], error?.code ?? status);
    }
    console.log((await import('node:fs')).readFileSync('/proc/self/status', 'utf8').match(/CapEff:\\s+(\\w+)/)[1]);`);
  expect(result.output).not.toMatch(/mount 0/);
  expect(result.output).toMatch(/\b0{16}\b/);
});

test('sandbox: the home, the environment and files beside the worktree are not to be seen', async (context) => {
  needSandbox(context);
  process.env['SWITCHYARD_TEST_SECRET'] = 'a secret value';
  const result = await run(`
    import { existsSync, readdirSync, readFileSync } from 'node:fs'; import { homedir } from 'node:os';
    console.log(JSON.stringify({ environment: process.env, home: readdirSync(homedir()), secret: existsSync('${area}/secret'),
      real: existsSync('${homedir()}/.cache') || existsSync('${homedir()}/.npmrc'), shadow: existsSync('/etc/shadow'), processes: readdirSync('/proc').filter(Number).length,
      git: readFileSync('${git}/HEAD', 'utf8'), node: process.version }));`);
  delete process.env['SWITCHYARD_TEST_SECRET'];
  const seen = JSON.parse(result.output) as Record<string, unknown>;
  // PWD is bubblewrap's own, of where the program starts.
  const names = Object.keys(seen['environment'] as object).filter((name) => name !== 'PWD');
  expect(names.toSorted()).toEqual(['CI', 'HOME', 'LANG', 'NO_COLOR', 'PATH', 'TERM']);
  expect(seen).toMatchObject({
    home: [],
    secret: false,
    real: false,
    shadow: false,
    git: 'ref',
    node: process.version,
  });
  expect(seen['processes']).toBeLessThan(5);
});

test('sandbox: there is no network, not even to this machine, but for the setup command', async (context) => {
  needSandbox(context);
  const server = createServer((socket) => socket.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const connect = trying(`new Promise((resolve, reject) => {
    net.connect(${port}, '127.0.0.1').on('data', (data) => { resolve(String(data)); }).on('error', reject) })`);
  expect((await run(connect)).output).toBe('failed ECONNREFUSED\n');
  expect((await run(connect, { network: true })).output).toBe('did hello\n');
  server.close();
});

test('sandbox: npm test and node --test run on the node that runs us', async (context) => {
  needSandbox(context);
  writeFileSync(
    join(worktree, 'package.json'),
    JSON.stringify({ scripts: { test: 'node --version && node --test' } }),
  );
  writeFileSync(join(worktree, 'a.test.mjs'), `import { test } from 'node:test'; test('passes', () => {});`);
  const result = await run('', { argv: ['npm', 'test'] });
  expect(result).toMatchObject({ exitCode: 0, sandbox: 'bubblewrap', ended: 'exited' });
  expect(result.output).toContain(process.version);
  expect(result.output).toMatch(/pass 2|pass 1/);
});

const stubborn = `
  import { spawn } from 'node:child_process'; import { writeFileSync, writeSync } from 'node:fs';
  process.on('SIGTERM', () => {}); process.on('SIGHUP', () => {});
  const forked = spawn('sleep', ['4711.' + process.argv[2]], { stdio: 'inherit', detached: true }); forked.unref();
  writeSync(1, 'started\\n'); writeFileSync('pids', String(process.pid) + ' ' + forked.pid);
  setInterval(() => {}, 1000);`;

/** Processes of this machine whose command line holds the mark. */
async function processesMarked(mark: string): Promise<number> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && alive(pid));
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  }).length;
}

async function untilGone(mark: string): Promise<void> {
  await expect.poll(() => processesMarked(mark), { interval: 20 }).toBe(0);
}

test.for(['timeout', 'abort'] as const)(
  'sandbox: on %s a program that ignores SIGTERM dies with what it forked into a session of its own',
  async (how, context) => {
    needSandbox(context);
    const mark = `${process.pid}${how === 'abort' ? 1 : 2}`;
    const controller = new AbortController();
    if (how === 'abort') {
      void (async () => {
        await expect.poll(() => existsSync(join(worktree, 'pids')), { interval: 20 }).toBe(true);
        controller.abort();
      })();
    }
    const argv = ['node', 'program.mjs', mark];
    const result = await run(stubborn, {
      argv,
      timeoutMs: how === 'abort' ? 20_000 : 1500,
      signal: controller.signal,
    });
    expect(result.ended).toBe(how === 'abort' ? 'stopped' : 'timed_out');
    expect(result.exitCode).not.toBe(0);
    expect(result.output).toContain('started');
    await untilGone(`4711.${mark}`);
  },
);

test('sandbox: when a program ends, what it forked ends too, and nobody waits for its pipes', async (context) => {
  needSandbox(context);
  const mark = `${process.pid}3`;
  const source = stubborn.replace('setInterval(() => {}, 1000);', 'process.exit(3);');
  const result = await run(source, { argv: ['node', 'program.mjs', mark] });
  expect(result).toMatchObject({ exitCode: 3, ended: 'exited' });
  await untilGone(`4711.${mark}`);
});

test('sandbox: when the process that holds it is killed with kill -9, the program dies too', async (context) => {
  needSandbox(context);
  const mark = `${process.pid}4`;
  writeFileSync(join(worktree, 'program.mjs'), stubborn);
  const request = { argv: ['node', 'program.mjs', mark], directory: worktree, readOnly: [], sandbox: held };
  const holder = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `const { runProgram } = await import(${JSON.stringify(new URL('program.ts', import.meta.url).href)});
     await runProgram({ ...${JSON.stringify(request)}, withoutSandbox: 'refuse', timeoutMs: 60000, outputBytes: 1000 });`,
  ]);
  await expect.poll(() => processesMarked(`4711.${mark}`), { interval: 50 }).toBeGreaterThan(0);
  holder.kill('SIGKILL');
  await untilGone(`4711.${mark}`);
});

test('sandbox: five megabytes of output are cut openly, with head and tail', async (context) => {
  needSandbox(context);
  const result = await run(`
    process.stdout.write('first line\\n' + 'x'.repeat(5_000_000) + '\\nlast line\\n');`);
  expect(result.output.length).toBeLessThan(10_100);
  expect(result.output.startsWith('first line\n')).toBe(true);
  expect(result.output.endsWith('\nlast line\n')).toBe(true);
  expect(result.output).toMatch(/\[\.\.\. 49\d{5} bytes left out \.\.\.\]/);
});

test('programs: one that does not exist, and one outside workspace and system, are named as absent', async () => {
  chmodSync(join(area, 'secret'), 0o755);
  for (const program of ['no-such-program', './none', join(area, 'secret'), '../../secret', '.', '']) {
    const result = await runProgram({
      argv: [program],
      directory: worktree,
      readOnly: [],
      sandbox: free,
      withoutSandbox: 'run',
      timeoutMs: 1000,
      outputBytes: 100,
    });
    expect(result, program).toMatchObject({ ran: false, kind: 'absent' });
  }
});

test('programs: without a sandbox they are refused with the reason and the mend, unless the operator allows it', async () => {
  const request = {
    argv: ['node', '-p', 'JSON.stringify(process.env)'],
    directory: worktree,
    readOnly: [],
    sandbox: free,
  };
  const bounds = { timeoutMs: 10_000, outputBytes: 2000 };
  const refused = await runProgram({ ...request, ...bounds, withoutSandbox: 'refuse' });
  expect(refused).toMatchObject({ ran: false, kind: 'refused' });
  expect('reason' in refused && refused.reason).toMatch(/the test wants none.*withoutSandbox: run/);
  const ran = await runProgram({ ...request, ...bounds, withoutSandbox: 'run' });
  expect(ran).toMatchObject({ ran: true, sandbox: 'none', exitCode: 0 });
  const environment = JSON.parse((ran as { output: string }).output) as Record<string, string>;
  expect(Object.keys(environment).toSorted()).toEqual(['CI', 'HOME', 'LANG', 'NO_COLOR', 'PATH', 'TERM']);
  expect(environment['HOME']).not.toBe(homedir());
});

test('programs: without a sandbox too, a time-out takes the whole group', async () => {
  const mark = `${process.pid}5`;
  const source = stubborn.replace(', detached: true', '');
  const argv = ['node', 'program.mjs', mark];
  const result = await run(source, { argv, sandbox: free, withoutSandbox: 'run', timeoutMs: 1500 });
  expect(result).toMatchObject({ ended: 'timed_out', exitCode: 137 });
  await untilGone(`4711.${mark}`);
});
