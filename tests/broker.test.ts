import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { headers, type Msg } from '@nats-io/nats-core';
import { setTimeout as sleep } from 'node:timers/promises';
import { v4 } from 'uuid';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { taskIdOf } from '../schemas/envelope.ts';
import type { Role } from '../schemas/row.ts';
import { submitSubject } from '../schemas/subject.ts';
import { adderTest } from './scenes.ts';
import { eventually } from './yard-parts.ts';
import { namespace, openYard, streams, type Yard } from './yard.ts';

const store = () => join(yard.stateDirectory, 'nats/jetstream');
const roles: Role[] = ['manager', 'router', 'inference', 'coder', 'reviewer'];
let yard: Yard;
beforeAll(async () => {
  yard = await openYard({ processes: {}, sweepMs: 2000 });
});
afterAll(() => yard?.stop());

/** Waits until nothing is in the inbox but timers. */
async function isIdle(): Promise<void> {
  await eventually(async () => {
    const backlogs = await yard.client.backlogs();
    return backlogs.every(
      ({ consumer, waiting, inHand }) => consumer.startsWith('timer') || waiting + inHand === 0,
    );
  }, 'the inbox to be worked off');
}

async function rolesServe(): Promise<void> {
  const served = new Set(yard.launcher.children().map((child) => child.program as string));
  await Promise.all(roles.filter((role) => !served.has(role)).map((role) => yard.launcher.start(role)));
}

const sound = async (taskId: string) => expect(await yard.problemsOf(taskId)).toEqual([]);

test('broker: what is submitted while only the broker runs, even bare, is done when the roles start', async () => {
  const taskId = await yard.submit();
  const asked = { goal: 'Make the tests pass', repository: yard.repository, test: adderTest };
  // As `nats pub yard.submit` and `nats req yard.submit` send it.
  yard.client.bus.connection.publish(submitSubject(namespace), JSON.stringify(asked));
  const receipt = await yard.client.bus.connection.request(submitSubject(namespace), JSON.stringify(asked));
  expect(receipt.json()).toMatchObject({ stream: streams.inbox, seq: 3 });
  await rolesServe();
  expect(await yard.ended(taskId)).toBe('task.completed');
  const taskIds = await eventually(async () => {
    const tasks = await yard.client.taskJournals();
    return tasks.length === 3 ? tasks.map((task) => task.taskId) : undefined;
  }, 'all three tasks');
  for (const one of taskIds) {
    expect(await yard.ended(one)).toBe('task.completed');
    await sound(one);
  }
});

test('broker: the same source and id is the same task, fifty times, within every window and after', async () => {
  await rolesServe();
  const identity = { source: '/tests/duplicates', id: v4() };
  const taskId = taskIdOf(identity);
  const ids = new Set<string>();
  for (let copy = 0; copy < 50; copy += 1) {
    ids.add(await yard.submit({}, identity));
    if (copy % 10 === 9) await sleep(150);
  }
  expect([...ids]).toEqual([taskId]);
  expect(await yard.ended(taskId)).toBe('task.completed');
  await yard.submit({}, identity);
  await isIdle();
  expect((await yard.client.taskJournals()).filter((task) => task.taskId === taskId)).toHaveLength(1);
  await sound(taskId);
});

test('broker: a copy of every message, late and in another order, changes nothing and does not breed', async () => {
  await rolesServe();
  let sent = 0;
  let copies = 0;
  let lastAtMs = Date.now();
  const copy = async (message: Msg) => {
    sent += 1;
    lastAtMs = Date.now();
    const again = headers();
    for (const [name, values] of message.headers ?? [])
      if (!name.startsWith('Nats-')) for (const value of values) again.append(name, value);
    again.set('Copy', 'of another');
    const [subject, body] = [message.subject, message.data.slice()];
    // The later ones overtake the earlier ones, and all come after the id is forgotten.
    await sleep(150 + ((sent * 7919) % 400));
    await yard.admin.jetstream.publish(subject, body, { msgID: v4(), headers: again });
    copies += 1;
  };
  const subscription = yard.admin.connection.subscribe(`${namespace}.inbox.>`, {
    callback: (_, message) => {
      if (!message.headers?.get('Copy')) void copy(message);
    },
  });
  const taskIds = [await yard.submit(), await yard.submit()];
  for (const taskId of taskIds) expect(await yard.ended(taskId)).toBe('task.completed');
  // Each copy may bring on once more what it once brought on, but that comes to an end.
  await eventually(() => copies === sent && Date.now() - lastAtMs > 1200, 'the copies to end');
  subscription.unsubscribe();
  await isIdle();
  for (const taskId of taskIds) await sound(taskId);
});

test('broker: killed with kill -9 in the middle of a task and started again, the task goes on', async () => {
  await rolesServe();
  const taskIds = [await yard.submit(), await yard.submit()];
  await yard.until(taskIds[0]!, (_one, type) => type === 'run.replied');
  const before = (await yard.events(taskIds[0]!)).length;
  await yard.killBroker();
  await sleep(300);
  await yard.startBroker();
  const backAtMs = Date.now();
  const goesOn = await eventually(
    async () => (await yard.events(taskIds[0]!).catch(() => []))[before],
    'the task to go on',
  );
  // What was asked when the connection broke is asked again at once, not when its time is up.
  expect(goesOn.atMs - backAtMs).toBeLessThan(4500);
  for (const taskId of taskIds) {
    expect(await yard.ended(taskId)).toBe('task.completed');
    await sound(taskId);
  }
});

test('broker: given back an older copy of its store, it fences nobody for ever, and what was lost is done again', async () => {
  await rolesServe();
  const taskId = await yard.submit();
  await yard.until(taskId, (_one, type) => type === 'run.replied');
  await yard.killBroker();
  cpSync(store(), join(yard.area, 'older'), { recursive: true });
  await yard.startBroker();
  expect(await yard.ended(taskId)).toBe('task.completed');
  const first = await yard.events(taskId);
  await yard.killBroker();
  rmSync(store(), { recursive: true });
  cpSync(join(yard.area, 'older'), store(), { recursive: true });
  await yard.startBroker();
  expect(await yard.ended(taskId)).toBe('task.completed');
  const again = await yard.events(taskId);
  // The lost events were decided a second time, later; the commits were made once.
  expect(again.at(-1)!.event.time).not.toBe(first.at(-1)!.event.time);
  expect((again.at(-1)!.event.data as { commit: string }).commit).toBe(
    (first.at(-1)!.event.data as { commit: string }).commit,
  );
  await sound(taskId);
});
