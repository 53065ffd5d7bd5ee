import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtName } from '../bus/program-file.ts';
import { parse, stringify } from 'yaml';
import { identifyProcess } from '../bus/process-identity.ts';
import { makeCertificate } from '../bus/server-fixture.ts';
import { readMeshFile } from '../config/mesh-file.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import { agentRoles } from '../schemas/row.ts';
import { adder, adderScript, adderTest } from './scenes.ts';
import { openTerminal, processesOn, resultOf, type Running, type Terminal, type Up } from './terminal.ts';
import { eventually, followUntil, stopped } from './yard-parts.ts';

// A mesh without a coder, and a second folder that stands for another host, on which one is started. From top to bottom.
let terminal: Terminal;
let mesh: Up;
let config: string;
let joined: string;
let coder: Running;

beforeAll(async () => {
  terminal = await openTerminal();
  const script = join(terminal.area, 'script.yaml');
  writeFileSync(script, stringify(adderScript));
  config = terminal.configure('home.yaml', {
    // Of all addresses of loopback the usual one is not listened on.
    mesh: { listen: '127.0.0.2', leaseMs: 2000, durability: 'process' },
    processes: { coder: 0, planner: 0, tester: 0 },
    allow: { repositories: [terminal.area], tests: [adderTest] },
    models: { scripted: { backend: 'scripted', pool: 'scripted', script } },
    roles: Object.fromEntries(agentRoles.map((role) => [role, { models: ['scripted'] }])),
  });
  mesh = await terminal.up('home', ['--config', config]);
  joined = join(terminal.area, 'elsewhere', 'joined');
});
afterAll(() => terminal?.close());

const modeOf = (path: string) => statSync(path).mode & 0o777;
const elsewhere = (...words: string[]) => terminal.switchyard([...words, '--state', joined]);

test('joining: what is exported is one role, the public keys, the address and the configuration, for its owner only', async () => {
  const refused = await mesh.switchyard(['credentials', 'export', 'coder', '--to', joined]);
  expect(refused).toMatchObject({ code: 1, error: expect.stringContaining('listens on loopback only') });
  expect(existsSync(joined)).toBe(false);
  const exported = await mesh.switchyard(
    ['credentials', 'export', 'coder', '--to', joined, '--broker', mesh.mesh.url].concat('--json'),
  );
  expect(resultOf(exported)).toEqual({ url: mesh.mesh.url, folders: [{ who: ['coder'], folder: joined }] });
  expect(new URL(mesh.mesh.url).hostname).toBe('127.0.0.2');

  const files = readdirSync(joined, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  expect(files.map(({ name }) => name).toSorted()).toEqual([
    '.gitignore',
    'coder.json',
    'joined.json',
    'public-keys.json',
    'switchyard.yaml',
  ]);
  for (const one of files) expect(modeOf(join(one.parentPath, one.name))).toBe(0o600);
  expect([joined, join(joined, 'credentials')].map(modeOf)).toEqual([0o700, 0o700]);
  const text = files.map((one) => readFileSync(join(one.parentPath, one.name), 'utf8')).join('\n');
  for (const user of ['admin', 'operator', 'manager', 'reviewer', 'observer']) {
    const own = join(mesh.stateDirectory, 'credentials', `${user}.json`);
    const { password, privateKey } = JSON.parse(readFileSync(own, 'utf8')) as Record<string, string>;
    expect(text).not.toContain(password);
    expect(text).not.toContain(JSON.stringify(privateKey).slice(1, -1));
  }
  const config = parse(readFileSync(join(joined, 'switchyard.yaml'), 'utf8')) as {
    mesh: Record<string, unknown>;
  };
  expect(config.mesh).toMatchObject({ leaseMs: 2000 });
  expect(config.mesh).not.toHaveProperty('listen');
});

test('joining: what is missing or open to others is named with the mend, and the folder is no mesh of its own', async () => {
  const reviewer = await elsewhere('start', 'reviewer');
  expect(reviewer).toMatchObject({
    code: 4,
    error: expect.stringMatching(/no credentials of the reviewer[\s\S]*credentials export reviewer --to DIR/),
  });
  const own = join(joined, 'credentials', 'coder.json');
  chmodSync(own, 0o644);
  expect(await elsewhere('start', 'coder')).toMatchObject({
    code: 4,
    error: expect.stringContaining(`chmod 600 '${own}'`),
  });
  chmodSync(own, 0o600);
  expect(await elsewhere('up')).toMatchObject({
    code: 2,
    error: expect.stringContaining('was made to join'),
  });
  expect(await elsewhere('credentials', 'export', 'coder', '--to', `${joined}2`)).toMatchObject({
    code: 1,
  });
  expect(await elsewhere('start', 'coder', '--broker', 'http://127.0.0.1:1')).toMatchObject({ code: 2 });
  expect(await elsewhere('start', 'coder', '--broker', 'nats://127.0.0.1:1')).toMatchObject({ code: 6 });
  expect(await elsewhere('healthy')).toMatchObject({ code: 1, error: expect.stringContaining('nothing') });
  const home = await mesh.switchyard(
    ['credentials', 'export', 'coder', '--broker', mesh.mesh.url].concat('--to', mesh.stateDirectory),
  );
  expect(home).toMatchObject({ code: 2, error: expect.stringContaining('not to be taken elsewhere') });
});

test('joining: a coder with that folder alone does the work, and is healthy while it answers', async () => {
  const repository = terminal.makeRepository('repository', adder);
  coder = terminal.start(['start', 'coder', '--state', joined, '--broker', mesh.mesh.url]);
  const [, process] = await coder.says(/^(coder\.[0-9a-f]+) \(pid \d+\) serves/m);
  expect(coder.error()).not.toContain('not encrypted');
  const submitted = await mesh.switchyard(['submit', '--repo', repository, '--test', adderTest, '--json']);
  const { taskId } = resultOf(submitted) as { taskId: string };
  const last = await followUntil(mesh.client, taskId, (_one, type) =>
    /^task\.(completed|failed|paused)/.test(type),
  );
  expect(shortType(last.event.type)).toBe('task.completed');
  const events = await mesh.client.read(taskId);
  const steps = events.filter(({ event }) => shortType(event.type) === 'run.stepped');
  expect(steps.some(({ event }) => (event.data as DataOf<'run.stepped'>).given.process === process)).toBe(
    true,
  );
  expect(resultOf(await elsewhere('healthy', '--json'))).toEqual({ healthy: [process] });
  const home = resultOf(await mesh.switchyard(['healthy', '--json'])) as { healthy: string[] };
  expect(home.healthy).toEqual(expect.arrayContaining(['up', 'nats-server', 'manager', 'router']));
  expect(home.healthy).not.toContain('coder');
});

test('joining: a process that hangs is not healthy, and one that went is replaced', async () => {
  const child = Number(/coder\.[0-9a-f]+ \(pid (\d+)\)/.exec(coder.error())![1]);
  globalThis.process.kill(child, 'SIGSTOP');
  expect(await elsewhere('healthy')).toMatchObject({
    code: 1,
    error: expect.stringContaining('did not answer'),
  });
  globalThis.process.kill(child, 'SIGKILL');
  await eventually(async () => (await elsewhere('healthy')).code === 0, 'another coder to be healthy');
  coder.kill('SIGTERM');
  expect((await coder.ended).code).toBe(0);
  expect(identifyProcess(child)).toBeUndefined();
  expect(readdirSync(join(joined, 'started'))).toEqual([]);
});

test('joining: another password shuts a host out until it is given the new one, and what was signed is still believed', async () => {
  mesh.kill('SIGTERM');
  await mesh.ended;
  const file = join(mesh.stateDirectory, 'credentials', 'coder.json');
  const credential = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  writeFileSync(file, JSON.stringify({ ...credential, password: 'x'.repeat(43) }));
  mesh = await terminal.up('home', ['--config', config]);
  const words = ['start', 'coder', '--state', joined, '--broker', mesh.mesh.url];
  expect(await terminal.switchyard(words)).toMatchObject({ code: 4 });
  const renewed = ['credentials', 'export', 'coder', '--to', joined, '--broker', mesh.mesh.url];
  expect(await mesh.switchyard(renewed)).toMatchObject({ code: 0 });
  const again = terminal.start(words);
  await again.says(/ serves in the mesh /);
  expect(await mesh.switchyard(['replay', 'latest', '--verify'])).toMatchObject({ code: 0 });
  again.kill('SIGTERM');
  await again.ended;
});

function isProgram(pid: number, program: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(program);
  } catch {
    return false;
  }
}

test('start: Ctrl-C is heard while the process does not serve yet, and once more ends it at once', async () => {
  await eventually(() => processesOn(joined).length === 0, 'those of before to be gone');
  const starting = terminal.start(['start', 'coder', '--state', joined, '--broker', mesh.mesh.url]);
  const child = await eventually(
    // By its program: before it is that, it is a copy of who starts it, who waits for it meanwhile.
    () => processesOn(joined).find((pid) => isProgram(pid, builtName('agents/main.ts'))),
    'the process to be there',
  );
  process.kill(child, 'SIGSTOP');
  // Of two signals that wait for a process to have its turn the lower is taken first: it would end rather than stop.
  await stopped(child);
  starting.kill('SIGINT');
  await starting.says(/waiting up to 10 s for coder/);
  starting.kill('SIGINT');
  const { code, error } = await starting.ended;
  expect(code).toBe(130);
  expect(error).not.toContain('serves');
  expect(processesOn(joined)).toEqual([]);
});

test('joining: with mesh.tls nothing is said unencrypted, and whoever does not know the authority does not connect', async () => {
  const { certificate } = makeCertificate(terminal.area);
  const encrypted = terminal.configure('tls.yaml', {
    mesh: {
      listen: '0.0.0.0',
      tls: { certificate: 'broker.pem', key: 'broker.key' },
      durability: 'process',
    },
  });
  const stranger = await terminal.switchyard([
    'up',
    '--broker-only',
    '--state',
    join(terminal.area, 'stranger'),
    '--config',
    encrypted,
  ]);
  expect(stranger).toMatchObject({ code: 6, error: expect.stringContaining('NODE_EXTRA_CA_CERTS') });
  const known = { NODE_EXTRA_CA_CERTS: certificate };
  const stateDirectory = join(terminal.area, 'encrypted');
  const up = terminal.start(['up', '--broker-only', '--state', stateDirectory, '--config', encrypted], known);
  await up.says(/ is up after /);
  const { url: own, ports } = readMeshFile(stateDirectory)!;
  expect(up.error()).toContain('listens on 0.0.0.0');
  expect(up.error()).not.toContain('nothing of it is encrypted');
  expect(own).toMatch(/^tls:\/\/127\.0\.0\.1:\d+$/);
  const folder = join(terminal.area, 'encrypted-elsewhere');
  const exported = await terminal.switchyard([
    '--state',
    stateDirectory,
    'credentials',
    'export',
    'router',
    '--to',
    folder,
    '--json',
  ]);
  const { url } = resultOf(exported) as { url: string };
  expect(url).toMatch(new RegExp(`^tls://[^:]+:${ports['nats']}$`));

  const words = ['start', 'router', '--state', folder, '--broker', own];
  expect(await terminal.switchyard(words)).toMatchObject({ code: 6 });
  const otherName = own.replace('127.0.0.1', '127.0.0.2');
  expect(await terminal.switchyard([...words.slice(0, -1), otherName], known)).toMatchObject({
    code: 6,
    error: expect.stringContaining('does not prove who it is'),
  });
  const router = terminal.start(words, known);
  await router.says(/router\.[0-9a-f]+ \(pid \d+\) serves in the mesh at tls:/);
  expect(router.error()).not.toContain('not encrypted');
  router.kill('SIGTERM');
  await router.ended;
  up.kill('SIGTERM');
  await up.ended;
});
