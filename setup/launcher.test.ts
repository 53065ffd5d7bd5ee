import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  addPackages,
  makeCheckout,
  pathWith,
  pinnedNode,
  pretendSetUp,
  run,
  systemPath,
} from './checkout-for-tests.ts';

let checkout: string;
beforeEach(() => {
  checkout = makeCheckout();
});
afterEach(() => rmSync(checkout, { recursive: true, force: true }));

const shellPrograms = ['sh', 'dirname', 'readlink', 'sed', 'find', 'head'];

interface Told {
  node: string;
  args: string[];
  at: string;
  env: Record<string, string>;
  telemetry?: boolean;
}

async function launch(
  args: string[] = [],
  env: Record<string, string> = {},
  file = join(checkout, 'switchyard'),
) {
  const ran = await run(file, args, { cwd: tmpdir(), env });
  expect(ran).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^(switchyard: building the programs.*\n)?$/),
  });
  return JSON.parse(ran.stdout) as Told;
}

test('launcher: it runs on the pinned Node with only the system on the PATH, in the folder it was called from', async () => {
  pretendSetUp(checkout);
  const told = await launch(['fix', 'a b', '', '--goal', "it's $HOME *"], { PATH: '/usr/bin:/bin' });
  expect(told.node).toBe(process.version);
  expect(told.args).toEqual(['fix', 'a b', '', '--goal', "it's $HOME *"]);
  expect(told.at).toBe(realpathSync(tmpdir()));
});

test('launcher: it finds its folder through links to links, relative and absolute', async () => {
  pretendSetUp(checkout);
  const elsewhere = join(checkout, 'else where');
  mkdirSync(elsewhere);
  symlinkSync('../switchyard', join(elsewhere, 'relative'));
  symlinkSync(join(elsewhere, 'relative'), join(elsewhere, 'absolute'));
  symlinkSync(elsewhere, join(checkout, 'folder'));
  const told = await launch(['version'], { PATH: '/usr/bin:/bin' }, join(checkout, 'folder', 'absolute'));
  expect(told.args).toEqual(['version']);
});

test('launcher: it is found on the PATH by its bare name', async () => {
  pretendSetUp(checkout);
  const bin = join(checkout, 'bin');
  mkdirSync(bin);
  symlinkSync(join(checkout, 'switchyard'), join(bin, 'switchyard'));
  const ran = await run('sh', ['-c', 'switchyard list'], {
    cwd: tmpdir(),
    env: { PATH: `${bin}:/usr/bin:/bin` },
  });
  expect(JSON.parse(ran.stdout)).toMatchObject({ args: ['list'] });
});

test('launcher: the exit code passes through', async () => {
  pretendSetUp(checkout);
  expect(await run(join(checkout, 'switchyard'), [], { env: { TEST_EXIT: '7' } })).toMatchObject({ code: 7 });
});

test('launcher: telemetry is loaded first where it is there', async () => {
  pretendSetUp(checkout);
  expect((await launch()).telemetry).toBeUndefined();
  mkdirSync(join(checkout, 'observability'));
  writeFileSync(
    join(checkout, 'observability', 'telemetry.ts'),
    'Object.assign(globalThis, { telemetry: true });\n',
  );
  expect((await launch()).telemetry).toBe(true);
});

test('launcher: a program is built once, anew when a source changes, appears or goes, and one that cannot be is said', async () => {
  pretendSetUp(checkout);
  const built = join(checkout, 'node_modules', '.switchyard');
  const main = join(checkout, 'cli', 'main.ts');
  const source = readFileSync(main, 'utf8');
  const start = async () => {
    const { stderr, code } = await run(join(checkout, 'switchyard'), []);
    return { isBuilt: stderr.includes('building'), code, stderr };
  };
  expect(await start()).toMatchObject({ isBuilt: true, code: 0 });
  expect(await start()).toMatchObject({ isBuilt: false, code: 0 });
  const [first] = readdirSync(built).filter((name) => name !== 'current');

  writeFileSync(join(checkout, 'cli', 'code.ts'), 'export const code: number = 3;\n');
  writeFileSync(main, `import { code } from './code.ts';\nprocess.exitCode = code;\n`);
  expect(await start()).toMatchObject({ isBuilt: true, code: 3 });
  expect(readdirSync(built)).not.toContain(first);
  expect(readdirSync(built)).toHaveLength(2);

  rmSync(join(checkout, 'cli', 'code.ts'));
  const broken = await start();
  expect(broken).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/could not be built: [^]*code\.ts/),
  });
  writeFileSync(main, source);
  expect(await start()).toMatchObject({ code: 0 });
});

test('launcher: what runs goes on with the build that it was started from', async () => {
  pretendSetUp(checkout);
  const main = join(checkout, 'cli', 'main.ts');
  writeFileSync(join(checkout, 'cli', 'later.ts'), 'export const word = "first";\n');
  writeFileSync(
    main,
    `process.stdout.write('up\\n');\nprocess.stdin.once('data', async () => { process.stdout.write((await import('./later.ts')).word); process.exit(); });\n`,
  );
  const held = spawn(join(checkout, 'switchyard'), [], {
    env: { PATH: systemPath },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let said = '';
  held.stdout.setEncoding('utf8').on('data', (text: string) => void (said += text));
  await new Promise((resolve) => void held.stdout.once('data', resolve));
  writeFileSync(main, 'process.exitCode = 5;\n');
  rmSync(join(checkout, 'cli', 'later.ts'));
  expect(await run(join(checkout, 'switchyard'), [])).toMatchObject({ code: 5 });
  held.stdin.write('go on');
  await new Promise((resolve) => void held.once('close', resolve));
  expect(said).toBe('up\nfirst');
});

test('launcher: where the bundler has no build for the system, the programs run from their sources', async () => {
  pretendSetUp(checkout);
  rmSync(join(checkout, 'node_modules', 'rolldown'));
  expect((await launch(['version'])).args).toEqual(['version']);
  expect(existsSync(join(checkout, 'node_modules', '.switchyard', 'current'))).toBe(false);
});

test('launcher: .env in its own folder is read, and what the shell has set goes before it', async () => {
  pretendSetUp(checkout);
  writeFileSync(join(checkout, '.env'), 'SWITCHYARD_STATE=/from/file\nOLLAMA_HOST=from-file\n');
  const { env } = await launch([], { OLLAMA_HOST: 'from-shell' });
  expect(env).toMatchObject({ SWITCHYARD_STATE: '/from/file', OLLAMA_HOST: 'from-shell' });
});

test('launcher: where nothing is pinned, a Node of the system that is new enough will do', async () => {
  pretendSetUp(checkout);
  rmSync(join(checkout, 'node_modules', '.bin', 'node'));
  const path = pathWith(join(checkout, 'path'), shellPrograms);
  symlinkSync(pinnedNode, join(path, 'node'));
  expect((await launch([], { PATH: path })).node).toBe(process.version);
});

test('launcher: a Node that is too old is named with the mend', async () => {
  pretendSetUp(checkout);
  rmSync(join(checkout, 'node_modules', '.bin', 'node'));
  const path = pathWith(join(checkout, 'path'), shellPrograms, { node: '#!/bin/sh\necho 22\n' });
  const ran = await run(join(checkout, 'switchyard'), [], { env: { PATH: path } });
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/Node\.js 24 or newer is needed here \(found: 22\).*\n.*Install Node\.js 24/);
});

test('launcher: without any Node it says what to install', async () => {
  const path = pathWith(join(checkout, 'path'), shellPrograms);
  const ran = await run(join(checkout, 'switchyard'), [], { env: { PATH: path } });
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/no Node\.js on the PATH\. Install Node\.js 20 or newer, with npm/);
});

test('launcher: without packages it sets up first, once, and again when the lock file has changed', async () => {
  addPackages(checkout);
  const env = { PATH: `${pathWith(join(checkout, 'path'), [])}:${process.env['PATH']}` };
  // The fixture's one package is no Node; the launcher then takes the one on the PATH.
  const first = await run(join(checkout, 'switchyard'), ['a'], { env });
  expect(first).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/fetching about 1 packages .*\n.*set up in/),
  });
  expect(await run(join(checkout, 'switchyard'), [], { env })).toMatchObject({ code: 0, stderr: '' });
  addPackages(checkout, '2.0.0');
  const later = new Date(Date.now() + 5000);
  utimesSync(join(checkout, 'package-lock.json'), later, later);
  const third = await run(join(checkout, 'switchyard'), [], { env });
  expect(third).toMatchObject({ code: 0, stderr: expect.stringContaining('fetching') });
});

test('launcher: a set-up that fails ends it, and nothing is started', async () => {
  const ran = await run(join(checkout, 'switchyard'), []);
  expect(ran).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('package-lock.json') });
});

/** The scripts that `npm start` runs, as they stand in our own package.json. */
function takeScripts(): void {
  const own = join(import.meta.dirname, '..', 'package.json');
  const { prestart, start } = (JSON.parse(readFileSync(own, 'utf8')) as { scripts: Record<string, string> })
    .scripts;
  const file = join(checkout, 'package.json');
  const whole = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...whole, scripts: { prestart, start } }));
}

test('npm start: it sets up, then is the launcher with the demo: .env, arguments, exit code and signals go through', async () => {
  addPackages(checkout);
  takeScripts();
  writeFileSync(join(checkout, '.env'), 'SWITCHYARD_STATE=/from/file\n');
  const words = ['start', '--silent', '--', '--goal', 'a b', '--once'];
  const env = { PATH: `${pathWith(join(checkout, 'path'), [])}:${process.env['PATH']}` };
  const first = await run('npm', words, { cwd: checkout, env: { ...env, TEST_EXIT: '4' } });
  expect(first).toMatchObject({ code: 4, stderr: expect.stringMatching(/fetching about 1 packages/) });
  const told = JSON.parse(first.stdout) as Told;
  expect(told.args).toEqual(['up', '--demo', '--goal', 'a b', '--once']);
  expect(told.env).toMatchObject({ SWITCHYARD_STATE: '/from/file' });

  const held = spawn('npm', words, { cwd: checkout, env: { ...process.env, ...env, TEST_HOLD: 'yes' } });
  await new Promise((resolve) => void held.stdout.once('data', resolve));
  held.kill('SIGTERM');
  expect(await new Promise((resolve) => void held.once('close', resolve))).toBe(9);
});
