import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../tests/yard-parts.ts';
import { connect, type Bus } from './connect.ts';
import { openLease } from './lease.ts';
import { openLog } from './log.ts';
import {
  EVERYTHING,
  makeCertificate,
  startTestServer,
  temporaryFolder,
  type TestServer,
} from './server-fixture.ts';
import { ensureStreams } from './streams.ts';

const user = { user: EVERYTHING.name, password: EVERYTHING.password };
const log = openLog('test', 'silent');
const leaseMs = 600;
let server: TestServer;
let bus: Bus;
beforeAll(async () => {
  server = await startTestServer();
  bus = await connect(server.url, 'test', user);
});
afterAll(async () => {
  await bus?.connection.close();
  await server?.[Symbol.asyncDispose]();
});

/** Takes a message and keeps this thread busy, as a long computation would, so that nothing else runs on it. */
async function takeAndBlock(namespace: string, blockMs: number, patienceMs?: number): Promise<number> {
  await ensureStreams(bus, namespace, [], leaseMs);
  const stream = `${namespace.toUpperCase()}_INBOX`;
  await bus.jetstream.publish(`${namespace}.inbox.role.coder.t1`, 'work');
  const lease = openLease(server.url, 'coder', user, leaseMs, log, patienceMs);
  // The thread needs a moment to connect: it has, once it renews.
  const renewed = bus.connection.subscribe(`${namespace}.held`, { max: 1 });
  lease.hold(`${namespace}.held`);
  for await (const _ of renewed) lease.release(`${namespace}.held`);
  const consumer = await bus.jetstream.consumers.get(stream, 'role-coder');
  const message = (await consumer.next({ expires: 2000 }))!;
  lease.hold((message as unknown as { reply: string }).reply);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
  const again = await consumer.next({ expires: 1000 });
  await lease.stop();
  return again?.info.deliveryCount ?? 1;
}

test('lease: a main thread that is busy for several leases keeps its message (hole 9)', async () => {
  expect(await takeAndBlock('busy', leaseMs * 4)).toBe(1);
});

test('lease: a main thread that hangs longer than the patience loses it, so that a hung process hides nothing (hole 9)', async () => {
  expect(await takeAndBlock('hung', leaseMs * 4, leaseMs)).toBeGreaterThan(1);
});

test('lease: a broker that is away when the thread first dials is found later, and what is held by then is kept', async () => {
  const leaving = await startTestServer();
  await using folder = { path: leaving.stateDirectory, [Symbol.asyncDispose]: leaving[Symbol.asyncDispose] };
  await leaving.stop();
  const said: unknown[] = [];
  const listening = { ...log, warn: (...parts: unknown[]) => void said.push(parts) } as typeof log;
  const lease = openLease(leaving.url, 'coder', user, leaseMs, listening);
  lease.hold('held.before');
  await eventually(() => said.length > 0, 'a word of it');
  await using back = await startTestServer({ stateDirectory: folder.path, port: leaving.port });
  const client = await connect(back.url, 'test', user);
  const renewed = client.connection.subscribe('held.before', { max: 1 });
  for await (const { data } of renewed) expect(Buffer.from(data).toString()).toBe('+WPI');
  await lease.stop();
  await client.connection.close();
});

/** In a process of its own: who an authority is can be told to a process only when it starts. */
const holder = `
  const at = (file) => import(process.env.BUS + file);
  const [{ connect }, { openLease }, { openLog }] = await Promise.all(['connect.ts', 'lease.ts', 'log.ts'].map(at));
  const { connection } = await connect(process.env.URL, 'test', JSON.parse(process.env.WHO));
  const renewed = connection.subscribe('held', { max: 1 });
  openLease(process.env.URL, 'coder', JSON.parse(process.env.WHO), 600, openLog('test')).hold('held');
  for await (const message of renewed) console.log(message.string());
  process.exit(0);
`;

test('lease: it is kept at a server that is encrypted and named by its address', async () => {
  await using folder = await temporaryFolder();
  const tls = makeCertificate(folder.path);
  await using encrypted = await startTestServer({ tls });
  const env = {
    PATH: process.env['PATH'],
    NODE_EXTRA_CA_CERTS: tls.certificate,
    BUS: `${import.meta.dirname}/`,
    URL: encrypted.url,
    WHO: JSON.stringify(user),
  };
  const words = ['--input-type=module', '--eval', holder];
  const held = await promisify(execFile)(process.execPath, words, { env, timeout: 60_000 });
  expect(held.stdout).toBe('+WPI\n');
});
