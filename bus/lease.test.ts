import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Bus } from './connect.ts';
import { openLease } from './lease.ts';
import { EVERYTHING, startTestServer, type TestServer } from './server-fixture.ts';
import { ensureStreams } from './streams.ts';

const user = { user: EVERYTHING.name, password: EVERYTHING.password };
const leaseMs = 600;
let server: TestServer;
let bus: Bus;
beforeAll(async () => {
  server = await startTestServer();
  bus = await connect(server.url, 'test', user);
}, 60_000);
afterAll(async () => {
  await bus?.connection.close();
  await server?.[Symbol.asyncDispose]();
});

/** Takes a message and keeps this thread busy, as a long computation would, so that nothing else runs on it. */
async function takeAndBlock(namespace: string, blockMs: number, patienceMs?: number): Promise<number> {
  await ensureStreams(bus, namespace, [], leaseMs);
  const stream = `${namespace.toUpperCase()}_INBOX`;
  await bus.jetstream.publish(`${namespace}.inbox.role.coder.t1`, 'work');
  const lease = openLease(server.url, 'coder', user, leaseMs, patienceMs);
  // The thread needs a moment to connect.
  await new Promise((resolve) => setTimeout(resolve, 300));
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
