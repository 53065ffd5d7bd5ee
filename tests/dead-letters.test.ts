import { headers } from '@nats-io/nats-core';
import { v4 } from 'uuid';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openClient, type Client } from '../bus/client.ts';
import { EVERYTHING } from '../bus/server-fixture.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { shortType, type Envelope } from '../schemas/envelope.ts';
import { exampleEvent, examples } from '../schemas/examples.ts';
import type { Outcome } from '../schemas/run.ts';
import { roleInbox, submitSubject } from '../schemas/subject.ts';
import { openBench, type Bench, type BenchMesh } from './fed-shell.ts';
import { eventually } from './yard-parts.ts';

let bench: Bench;
const clients: Client[] = [];
beforeAll(async () => {
  bench = await openBench();
});
afterAll(async () => {
  for (const client of clients) await client.close();
  await bench?.close();
});

const done: Outcome = { status: 'ok', output: 'done' };
const clientOf = async (mesh: BenchMesh) => {
  const client = await openClient(bench.server.url, mesh.namespace, {
    user: EVERYTHING.name,
    password: EVERYTHING.password,
  });
  clients.push(client);
  return client;
};
const facts = async (mesh: BenchMesh): Promise<Envelope<DataOf<'mesh.dead_lettered'>>[]> => {
  const { state } = await bench.bus.manager.streams.info(mesh.streams.events);
  const found: Envelope<DataOf<'mesh.dead_lettered'>>[] = [];
  for (let sequence = 1; sequence <= state.last_seq; sequence += 1) {
    const stored = await bench.bus.manager.direct
      .getMessage(mesh.streams.events, { seq: sequence })
      .catch(() => null);
    const event = stored?.json<Envelope<DataOf<'mesh.dead_lettered'>>>();
    if (event && shortType(event.type) === 'mesh.dead_lettered') found.push(event);
  }
  return found;
};
const notices = async (mesh: BenchMesh) =>
  (await mesh.inbox().catch(() => [])).filter(({ type }) => type === 'message.dead');

const start = () => exampleEvent('run.start');
const bad: [string, () => string, RegExp][] = [
  ['no JSON', () => 'plan B', /JSON/],
  ['no CloudEvent', () => '{"goal": "do it"}', /CloudEvent|specversion/],
  [
    'of an unknown type',
    () => JSON.stringify({ ...start(), type: 'dev.switchyard.run.begin.v1' }),
    /unknown type/,
  ],
  [
    'of another version',
    () => JSON.stringify({ ...start(), type: 'dev.switchyard.run.start.v2' }),
    /v2.*this mesh speaks v1/,
  ],
  [
    'against its schema',
    () => JSON.stringify({ ...start(), data: { choices: [], work: { runId: 7 } } }),
    /data\.work\.runId: must be string.*data\.choices/s,
  ],
  ['for another role', () => JSON.stringify(exampleEvent('work.route')), /not for the coder/],
  [
    'an event where commands go',
    () => JSON.stringify(exampleEvent('run.started')),
    /not for the coder|no command/,
  ],
];

test.each(bad)(
  'dead letter: a message that is %s, with every reason, and its task is told',
  async (_, body, reason) => {
    const mesh = await bench.mesh();
    const coder = await mesh.coder();
    const header = headers();
    header.set('Content-Type', 'application/cloudevents+json');
    await bench.bus.jetstream.publish(roleInbox(mesh.namespace, 'coder', mesh.taskId), body(), {
      headers: header,
    });
    await coder.handleNext();
    const [letter, ...others] = await (await clientOf(mesh)).deadLetters();
    expect(others).toEqual([]);
    expect(letter).toMatchObject({
      subject: roleInbox(mesh.namespace, 'coder', mesh.taskId),
      body: body(),
      reason: expect.stringMatching(reason),
    });
    const [fact] = await facts(mesh);
    expect(fact?.data).toMatchObject({
      messageId: letter!.id,
      deliveries: 1,
      role: 'coder',
      process: coder.process,
    });
    expect(fact?.data.reasons.join('\n')).toMatch(reason);
    expect(fact?.subject).toBe(mesh.taskId);
    expect(await notices(mesh)).toMatchObject([
      { subject: roleInbox(mesh.namespace, 'manager', mesh.taskId) },
    ]);
    expect(await mesh.pending()).toMatchObject({ waiting: 0, inHand: 0 });
  },
);

test('dead letter: a request that nobody can read names no task, and is listed with its reason', async () => {
  const mesh = await bench.mesh();
  const coder = await mesh.coder();
  await bench.bus.jetstream.publish(submitSubject(mesh.namespace), 'please');
  await coder.handleNext('submit');
  expect(await (await clientOf(mesh)).deadLetters()).toMatchObject([
    { subject: submitSubject(mesh.namespace), body: 'please', reason: expect.stringMatching(/JSON/) },
  ]);
  expect(await notices(mesh)).toEqual([]);
});

test('dead letter: what fails five times is given up with its last reason, and is done when it is retried after the mend', async () => {
  const mesh = await bench.mesh();
  let isMended = false;
  let tries = 0;
  const coder = await mesh.coder({
    act: async () => {
      tries += 1;
      if (!isMended) throw new TypeError(`the disk is on fire (${tries})`);
      return done;
    },
  });
  const runId = v4();
  const { choices, work } = examples['run.start'];
  const id = v4();
  // As a relay sends it: the message's id is the event's, and the stream remembers it.
  const start = await mesh.command('run.start', { choices, work: { ...work, runId } }, id, id);
  for (let delivery = 0; delivery < 5; delivery += 1) await coder.handleNext('role-coder', 6000);
  expect(tries).toBe(5);
  const client = await clientOf(mesh);
  const [letter] = await client.deadLetters();
  expect(letter).toMatchObject({
    taskId: mesh.taskId,
    reason: 'it failed 5 times, at last with: the disk is on fire (5)',
  });
  expect(await mesh.pending()).toMatchObject({ waiting: 0, inHand: 0 });
  expect(await notices(mesh)).toHaveLength(1);

  isMended = true;
  await client.retry(letter!.id);
  // A new message of the old event: the stream takes it, and the shell knows it.
  expect((await mesh.inbox()).find(({ type }) => type === 'run.start')?.event).toEqual(start);
  await eventually(async () => {
    await coder.handleNext();
    return (await mesh.record(runId)).at(-1)!.type === 'run.stepped';
  }, 'the step to be done');
  expect(tries).toBe(6);
});

test('dead letter: the fact is appended once though two processes give the message up, and the original is kept once', async () => {
  const mesh = await bench.mesh();
  const coders = [await mesh.coder(), await mesh.coder()];
  await bench.bus.jetstream.publish(roleInbox(mesh.namespace, 'coder', mesh.taskId), 'no JSON');
  const first = (await coders[0]!.take())!;
  bench.bus.connection.publish(first.token, '-NAK');
  const second = (await coders[1]!.take())!;
  expect(second.sequence).toBe(first.sequence);
  await Promise.all([coders[0]!.shell.handle(first), coders[1]!.shell.handle(second)]);
  expect(await facts(mesh)).toHaveLength(1);
  expect(await (await clientOf(mesh)).deadLetters()).toHaveLength(1);
  expect(await notices(mesh)).toHaveLength(1);
});

test('hole 8: the fact is stored before the letter, and the letter before the message is taken away', async () => {
  const mesh = await bench.mesh();
  const coder = await mesh.coder();
  await bench.bus.jetstream.publish(roleInbox(mesh.namespace, 'coder', mesh.taskId), 'no JSON');
  const { config } = await bench.bus.manager.streams.info(mesh.streams.dead);
  await bench.bus.manager.streams.delete(mesh.streams.dead);
  // The letter has nowhere to go: the message must not be lost.
  await coder.handleNext();
  expect(await facts(mesh)).toHaveLength(1);
  expect(await mesh.pending()).toMatchObject({ inHand: 1 });
  await bench.bus.manager.streams.add(config);
  await eventually(async () => {
    await coder.handleNext();
    return (await (await clientOf(mesh)).deadLetters()).length === 1;
  }, 'the letter');
  expect(await facts(mesh)).toHaveLength(1);
  expect(await mesh.pending()).toMatchObject({ waiting: 0, inHand: 0 });
});
