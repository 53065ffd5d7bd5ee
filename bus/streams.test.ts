import { afterAll, beforeAll, expect, test } from 'vitest';
import { exampleEvent } from '../schemas/examples.ts';
import { streamNames, timerInbox } from '../schemas/subject.ts';
import { connect, type Bus } from './connect.ts';
import { send } from './relay.ts';
import { EVERYTHING, startTestServer, type TestServer } from './server-fixture.ts';
import { ensureStreams } from './streams.ts';

let server: TestServer;
let bus: Bus;
beforeAll(async () => {
  server = await startTestServer();
  bus = await connect(server.url, 'test', { user: EVERYTHING.name, password: EVERYTHING.password });
});
afterAll(async () => {
  await bus?.connection.close();
  await server?.[Symbol.asyncDispose]();
});

test('streams: making them again with another lease and other pools brings what exists up to date (hole 13)', async () => {
  const { inbox } = streamNames('again');
  await ensureStreams(bus, 'again', ['local'], 1000);
  await ensureStreams(bus, 'again', ['local', 'cloud'], 4000);
  expect((await bus.manager.consumers.info(inbox, 'role-coder')).config.ack_wait).toBe(4_000_000_000);
  expect((await bus.manager.consumers.info(inbox, 'pool-cloud')).config.filter_subject).toBe(
    'again.inbox.pool.cloud.>',
  );
});

test('streams: an inbox that no role takes from is refused at once, not stored for ever (hole 13)', async () => {
  await ensureStreams(bus, 'typo', ['local'], 1000);
  for (const subject of [
    'typo.inbox.role.codre.t1',
    'typo.inbox.timer.codre.t1.call',
    'typo.inbox.rol.coder.t1',
  ]) {
    await expect(send(bus, subject, exampleEvent('run.start'), 'm1')).rejects.toThrow(
      `no stream takes messages for ${subject}`,
    );
  }
  expect((await bus.manager.streams.info(streamNames('typo').inbox)).state.messages).toBe(0);
});

test('streams: a thousand parked timers keep no other from coming (hole 10)', async () => {
  await ensureStreams(bus, 'park', [], 1000);
  const { inbox } = streamNames('park');
  const subject = (place: number) => timerInbox('park', 'manager', `t${place}`, 'watch');
  const parked = 1100;
  await Promise.all(
    Array.from({ length: parked }, (_, place) => bus.jetstream.publish(subject(place), 'not due')),
  );
  const consumer = await bus.jetstream.consumers.get(inbox, 'timer-manager');
  for await (const message of await consumer.fetch({ max_messages: parked, expires: 5000 }))
    message.nak(60_000);
  await bus.connection.flush();
  await bus.jetstream.publish(subject(parked), 'due');
  expect((await consumer.next({ expires: 2000 }))?.string()).toBe('due');
});

test('streams: a message is delivered as often as it is put back; the broker gives none up by itself (hole 11)', async () => {
  await ensureStreams(bus, 'often', [], 1000);
  const { inbox } = streamNames('often');
  await bus.jetstream.publish('often.inbox.role.coder.t1', 'again');
  const consumer = await bus.jetstream.consumers.get(inbox, 'role-coder');
  for (let delivery = 1; delivery <= 30; delivery += 1) {
    const message = await consumer.next({ expires: 2000 });
    expect(message?.info.deliveryCount).toBe(delivery);
    message!.nak();
  }
});
