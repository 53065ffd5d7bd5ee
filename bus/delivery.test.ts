import { afterAll, beforeAll, expect, test } from 'vitest';
import { poolInbox, streamNames, submitSubject } from '../schemas/subject.ts';
import { eventually } from '../tests/yard-parts.ts';
import { connect, type Bus } from './connect.ts';
import { openDelivery, type Delivery, type Intake } from './delivery.ts';
import { openLog } from './log.ts';
import { EVERYTHING, startTestServer, type TestServer } from './server-fixture.ts';
import { ensureStreams } from './streams.ts';

let server: TestServer;
let bus: Bus;
const closing: (() => Promise<void>)[] = [];
beforeAll(async () => {
  server = await startTestServer();
  bus = await connect(server.url, 'test', { user: EVERYTHING.name, password: EVERYTHING.password });
});
afterAll(async () => {
  await Promise.all(closing.map((close) => close()));
  await bus?.connection.close();
  await server?.[Symbol.asyncDispose]();
});

/** A process with so many slots, which keeps what it takes until it is told to let go. */
async function openTaker(namespace: string, slots: number, ...others: Intake[]) {
  const held: Delivery[] = [];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const delivery = openDelivery(
    bus,
    namespace,
    [{ consumer: 'pool-local', slots }, ...others],
    { take() {}, release() {} },
    openLog('test', 'silent'),
    async (one) => {
      held.push(one);
      await released;
      one.acknowledge();
    },
    [],
  );
  closing.push(() => {
    release();
    return delivery.stop();
  });
  const { inbox } = streamNames(namespace);
  const { num_waiting: before } = await bus.manager.consumers.info(inbox, 'pool-local');
  await eventually(
    async () => (await bus.manager.consumers.info(inbox, 'pool-local')).num_waiting >= before + slots,
    'its slots to wait',
  );
  return { held: () => held.length, load: delivery.load };
}

const ask = async (namespace: string, count: number) => {
  for (let place = 0; place < count; place++)
    await bus.jetstream.publish(poolInbox(namespace, 'local', `t${place}`), String(place));
};

test('delivery: of the processes of a pool the one with most of its slots free is served first', async () => {
  await ensureStreams(bus, 'shared', ['local'], 5000);
  const takers = [await openTaker('shared', 4), await openTaker('shared', 4), await openTaker('shared', 2)];
  await ask('shared', 3);
  await eventually(() => takers.every((one) => one.held() === 1), 'one for each');
  // Half of the small one's slots are taken: it is the others' turn, though it has asked as long as they have.
  await ask('shared', 2);
  await eventually(() => takers[0]!.held() === 2 && takers[1]!.held() === 2, 'the next two');
  expect(takers[2]!.held()).toBe(1);
  // One that is added is the emptiest.
  const added = await openTaker('shared', 4);
  await ask('shared', 2);
  await eventually(() => added.held() === 2, 'those that go to the one that was added');
});

test('delivery: a server that knows no priorities serves who asked first', async () => {
  await ensureStreams({ ...bus, serverVersion: '2.11.9' }, 'older', ['local'], 5000);
  const takers = [await openTaker('older', 2), await openTaker('older', 2)];
  // By their priorities each would get one.
  await ask('older', 2);
  await eventually(() => takers[0]!.held() + takers[1]!.held() === 2, 'both');
  expect(takers.map((one) => one.held())).toEqual([2, 0]);
});

test('delivery: its load is what it is there for, and not the requests and timers that it takes besides', async () => {
  await ensureStreams(bus, 'load', ['local'], 5000);
  const taker = await openTaker('load', 4, { consumer: 'submit', slots: 2, isQuick: true });
  expect(taker.load()).toEqual({ slots: 4, busySlots: 0 });
  await bus.jetstream.publish(submitSubject('load'), 'a request');
  await ask('load', 3);
  await eventually(() => taker.held() === 4, 'all that was sent');
  expect(taker.load()).toEqual({ slots: 4, busySlots: 3 });
});
