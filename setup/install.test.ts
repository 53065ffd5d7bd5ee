import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addPackages, makeCheckout, pathWith, pinnedNode, run, systemPath } from './checkout-for-tests.ts';

let checkout: string;
beforeEach(() => {
  checkout = makeCheckout();
});
afterEach(() => rmSync(checkout, { recursive: true, force: true }));

const install = (env: Record<string, string> = {}, node = pinnedNode) =>
  run(node, [join(checkout, 'setup', 'install.mjs')], { cwd: '/', env });
const installedVersion = () =>
  (
    JSON.parse(readFileSync(join(checkout, 'node_modules', 'small', 'package.json'), 'utf8')) as {
      version: string;
    }
  ).version;

test('set-up: it installs what is missing, says what and how large, and is silent the next time', async () => {
  addPackages(checkout);
  const first = await install();
  expect(first).toMatchObject({ code: 0, stdout: '' });
  expect(first.stderr).toMatch(
    /fetching about 1 packages \(some \d+ MB, \d+ MB on disk\) from the registry that npm is configured for\n.*set up in \d/,
  );
  expect(installedVersion()).toBe('1.0.0');
  expect(await install()).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('set-up: no script of a package runs', async () => {
  addPackages(checkout);
  expect((await install()).code).toBe(0);
  expect(existsSync(join(checkout, 'install-script-ran'))).toBe(false);
  expect(existsSync(join(checkout, 'node_modules', 'install-script-ran'))).toBe(false);
});

test('set-up: it installs again when the lock file names something else', async () => {
  addPackages(checkout);
  await install();
  addPackages(checkout, '2.0.0');
  expect((await install()).stderr).toContain('fetching');
  expect(installedVersion()).toBe('2.0.0');
});

test('set-up: what somebody installed by hand is left as it is where it fits', async () => {
  addPackages(checkout);
  execFileSync('npm', ['ci', '--ignore-scripts', '--offline'], {
    cwd: checkout,
    env: { ...process.env, PATH: systemPath },
    stdio: 'ignore',
  });
  writeFileSync(join(checkout, 'node_modules', 'mine'), '');
  expect(await install()).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(existsSync(join(checkout, 'node_modules', 'mine'))).toBe(true);
});

test('set-up: two at once do not disturb each other, and one of them does the work', async () => {
  addPackages(checkout);
  const both = await Promise.all([install(), install(), install()]);
  expect(both.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(both.filter(({ stderr }) => stderr.includes('fetching'))).toHaveLength(1);
  expect(installedVersion()).toBe('1.0.0');
});

test('set-up: the lock of a dead one is broken, also where its pid is used again', async () => {
  addPackages(checkout);
  mkdirSync(join(checkout, '.switchyard'), { recursive: true });
  const lock = join(checkout, '.switchyard', 'setup.lock');
  for (const holder of ['999999999 1\n', `${process.pid} 1\n`, '']) {
    writeFileSync(lock, holder);
    const ran = await install();
    expect(ran.code).toBe(0);
    expect(existsSync(lock)).toBe(false);
  }
});

test('set-up: a registry that cannot be reached is named with the mend, and the next try works', async () => {
  addPackages(checkout);
  const [manifest, lock] = ['package.json', 'package-lock.json'].map((name) => join(checkout, name)) as [
    string,
    string,
  ];
  const before = [manifest, lock].map((file) => readFileSync(file, 'utf8')) as [string, string];
  // As if the package came from a registry; nothing listens on port 1, and the password must not be shown.
  writeFileSync(manifest, before[0].replaceAll('file:small-1.0.0.tgz', '1.0.0'));
  const far = before[1].replaceAll(
    /"resolved": "[^"]*"/g,
    '"resolved": "http://me:hunter2@127.0.0.1:1/small.tgz"',
  );
  writeFileSync(lock, far.replaceAll('file:small-1.0.0.tgz', '1.0.0'));
  const ran = await install({ npm_config_fetch_retries: '0', npm_config_cache: join(checkout, 'cache') });
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(
    /npm ci failed[^]*ECONNREFUSED[^]*What to do: the package registry cannot be reached/,
  );
  expect(ran.stderr).not.toContain('hunter2');
  writeFileSync(manifest, before[0]);
  writeFileSync(lock, before[1]);
  expect((await install()).code).toBe(0);
});

test('set-up: package.json and lock file that do not fit together are named with the mend', async () => {
  addPackages(checkout);
  const manifest = readFileSync(join(checkout, 'package.json'), 'utf8');
  writeFileSync(join(checkout, 'package.json'), manifest.replace('"small":', '"other":'));
  expect(await install()).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('do not fit together: run `npm install`'),
  });
});

test('set-up: without git or npm it says what to install', async () => {
  addPackages(checkout);
  const noGit = pathWith(join(checkout, 'no-git'), ['npm', 'node', 'sh']);
  expect(await install({ PATH: noGit })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('git is missing'),
  });
  const noNpm = pathWith(join(checkout, 'no-npm'), ['git', 'sh']);
  expect(await install({ PATH: noNpm })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('npm is missing'),
  });
});

test('set-up: where no Node that is new enough comes with the packages and none is there, it says so', async () => {
  const system = systemPath
    .split(':')
    .map((folder) => join(folder, 'node'))
    .find((file) => existsSync(file));
  if (system === undefined) throw new Error('this test needs a Node on the PATH beside the pinned one');
  const major = Number(
    execFileSync(system, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' }),
  );
  addPackages(checkout);
  const ran = await install({}, system);
  expect(ran.code).toBe(major >= 24 ? 0 : 1);
  if (major < 24)
    expect(ran.stderr).toMatch(/Switchyard runs on Node\.js 24 or newer; .* Install Node\.js 24/);
});

test('set-up: it runs beside a pinned Node that the install replaces', async () => {
  addPackages(checkout);
  await install();
  mkdirSync(join(checkout, 'node_modules', '.bin'));
  symlinkSync(pinnedNode, join(checkout, 'node_modules', '.bin', 'node'));
  addPackages(checkout, '2.0.0');
  const path = `${join(checkout, 'node_modules', '.bin')}:${systemPath}`;
  expect((await install({ PATH: path })).code).toBe(0);
  expect(installedVersion()).toBe('2.0.0');
});

test('set-up: the size that it announces is the size of what is installed here', () => {
  const root = dirname(import.meta.dirname);
  const said = /installedMegabytes = (\d+)/.exec(readFileSync(join(root, 'setup', 'install.mjs'), 'utf8'));
  const kibibytes = parseInt(
    execFileSync('du', ['-sk', join(root, 'node_modules')], { encoding: 'utf8' }),
    10,
  );
  const ratio = (kibibytes * 1024) / 1e6 / Number(said?.[1]);
  expect(ratio).toBeGreaterThan(0.8);
  expect(ratio).toBeLessThan(1.25);
});
