import { connect } from '@nats-io/transport-node';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readCredential } from '../bus/credentials.ts';
import type { Heartbeat } from '../bus/registry.ts';
import type { MeshFile } from '../config/mesh-file.ts';
import type { PageSession } from '../observability/query.ts';
import { eventually } from './yard-parts.ts';
import { builtProgram } from './built-program.ts';

const main = builtProgram('cli/main.ts');
let area: string;
let up: ChildProcess | undefined;
let said = '';

beforeEach(() => {
  area = mkdtempSync(join(tmpdir(), 'switchyard-dashboard-'));
  said = '';
});
afterEach(async () => {
  if (up && up.exitCode === null) {
    const ended = new Promise((resolve) => up!.once('close', resolve));
    up.kill('SIGTERM');
    await ended;
  }
  rmSync(area, { recursive: true, force: true, maxRetries: 5 });
});

const environment = () => ({ ...process.env, XDG_CONFIG_HOME: join(area, 'config'), NO_COLOR: '1' });
const state = () => join(area, 'state');

async function start(...options: string[]): Promise<void> {
  up = spawn(process.execPath, [main, 'up', '--state', state(), '--durability', 'process', ...options], {
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  up.stderr!.on('data', (chunk: Buffer) => void (said += chunk.toString('utf8')));
  await eventually(() => said.includes('stays up until'), `the mesh to be up; it said: ${said}`);
}

const meshFile = () => JSON.parse(readFileSync(join(state(), 'mesh.json'), 'utf8')) as MeshFile;

async function command<Result>(...args: string[]): Promise<Result> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [main, ...args, '--state', state(), '--json'],
    { env: environment() },
  );
  return JSON.parse(stdout) as Result;
}

const exchange = (link: string) =>
  fetch(new URL('/session', link), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token: link.split('#token=')[1] }),
  });

/** What these processes listen on, as the kernel lists it: `address:port`, in its own spelling. */
async function listening(pids: number[]): Promise<string[]> {
  const found = new Set<string>();
  for (const pid of pids) {
    const inodes = new Set<string>();
    for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode) inodes.add(inode);
    }
    for (const table of ['tcp', 'tcp6']) {
      const text = await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '');
      for (const line of text.trim().split('\n').slice(1)) {
        const [, local = '', , socketState, , , , , , inode = ''] = line.trim().split(/\s+/);
        if (socketState === '0A' && inodes.has(inode)) found.add(local);
      }
    }
  }
  return [...found].toSorted();
}

test('dashboard: up prints a link that works once, and the command another; every port that is listened on is in the list', async () => {
  await start();
  const link = await eventually(() => /see it happen: (\S+)/.exec(said)?.[1], 'the link');
  const first = await exchange(link);
  expect(first.status).toBe(200);
  const session = (await first.json()) as PageSession;
  expect((await exchange(link)).status).toBe(401);
  const another = await command<{ link: string }>('dashboard');
  expect(another.link).toContain(`http://127.0.0.1:${meshFile().ports['page']}/#token=`);
  expect((await exchange(another.link)).status).toBe(200);
  expect(session.url).toBe(`ws://127.0.0.1:${meshFile().ports['websocket']}`);

  const observer = await eventually(
    () => meshFile().processes.find((one) => one.name === 'observer'),
    'the observer to be in the list',
  );
  const alive = await eventually(async () => {
    const { processes } = await command<{ processes: Heartbeat[] }>('status');
    return processes.find((one) => one.role === 'observer');
  }, 'the observer to say that it is alive');
  expect(alive).toMatchObject({ pid: observer.pid, slots: 0, busySlots: 0, pools: [] });
  expect(await command('rebuild')).toMatchObject({ rebuilt: true, events: 0 });
  if (process.platform === 'linux') {
    const { ports, processes } = meshFile();
    expect(Object.keys(ports).toSorted()).toEqual(['nats', 'page', 'websocket']);
    const loopback = Object.values(ports).map(
      (port) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`,
    );
    expect(await listening(processes.map((one) => one.pid))).toEqual(loopback.toSorted());
  }
  // Killed, it comes back and serves the same page.
  process.kill(observer.pid, 'SIGKILL');
  const third = await command<{ link: string }>('dashboard');
  const answer = await eventually(() => exchange(third.link).catch(() => undefined), 'the page to be back');
  expect(answer.status).toBe(200);
});

test('dashboard: --no-dashboard serves no page and lets no browser connect, but questions are answered', async () => {
  await start('--no-dashboard');
  expect(said).not.toContain('see it happen');
  expect(Object.keys(meshFile().ports)).toEqual(['nats']);
  await expect(command('dashboard')).rejects.toThrow(/serves no page/);
  const { password } = await readCredential(state(), 'operator');
  const connection = await connect({ servers: meshFile().url, user: 'operator', pass: password });
  const totals = await eventually(
    () => connection.request('yard.query.totals', '', { timeout: 2000 }).catch(() => undefined),
    'the observer to answer',
  );
  expect(totals.json()).toMatchObject({ tasks: 0, events: 0 });
  await connection.close();
});

test.runIf(process.platform === 'linux')(
  'dashboard: mesh.page.listen says where both of its ports listen',
  async () => {
    const config = join(area, 'switchyard.yaml');
    writeFileSync(config, 'mesh: { page: { listen: 127.0.0.2 } }\n');
    await start('--config', config);
    await eventually(() => said.includes('see it happen'), 'the page to be served');
    await eventually(
      () => meshFile().processes.some((one) => one.name === 'observer'),
      'the observer to be in the list',
    );
    const { ports, processes } = meshFile();
    const there = [ports['page']!, ports['websocket']!].map(
      (port) => `0200007F:${port.toString(16).toUpperCase().padStart(4, '0')}`,
    );
    const found = await listening(processes.map((one) => one.pid));
    expect(found.filter((one) => one.startsWith('0200007F'))).toEqual(there.toSorted());
  },
);

test('dashboard: a mesh that is started again has the ports that an open page knows', async () => {
  await start();
  const { ports } = meshFile();
  const ended = new Promise((resolve) => up!.once('close', resolve));
  up!.kill('SIGTERM');
  await ended;
  said = '';
  await start();
  expect(meshFile().ports).toEqual(ports);
});
