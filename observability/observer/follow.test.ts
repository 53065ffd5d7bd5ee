import { headers } from '@nats-io/nats-core';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Bus } from '../../bus/connect.ts';
import { loadCredentials, readPublicKeys } from '../../bus/credentials.ts';
import { openLog } from '../../bus/log.ts';
import { openRecord } from '../../bus/record.ts';
import { EVERYTHING, startTestServer, type TestServer } from '../../bus/server-fixture.ts';
import { signatureHeader, type PublicKeys } from '../../bus/signature.ts';
import { ensureStreams } from '../../bus/streams.ts';
import { roles } from '../../schemas/row.ts';
import { dumpReadModel } from '../../tests/read-model-dump.ts';
import {
  append,
  entriesOfTask,
  eventsOfTask,
  signersOf,
  syntheticTaskId,
} from '../../tests/synthetic-record.ts';
import { eventually } from '../../tests/yard-parts.ts';
import { answerTask, answerTotals } from './answers.ts';
import { followRecord } from './follow.ts';
import { openReadModel, type ReadModel } from './read-model.ts';

const namespace = 'yard';
const stream = 'YARD_EVENTS';
const steps = 5;
/** So that one batch is taken while the next is checked and the one after it is read. */
const fewEntries = 7;
const silent = openLog('test', 'silent');
let server: TestServer;
let bus: Bus;
let signers: ReturnType<typeof signersOf>;
let publicKeys: PublicKeys;
let files = 0;

beforeAll(async () => {
  server = await startTestServer();
  bus = await connectTo(server);
  await ensureStreams(bus, namespace, ['local'], 6000);
  signers = signersOf(await loadCredentials(server.stateDirectory, [...roles]));
  publicKeys = await readPublicKeys(server.stateDirectory);
});
afterAll(async () => {
  await bus?.connection.close();
  await server?.[Symbol.asyncDispose]();
});

const connectTo = ({ url }: { url: string }) =>
  connect(url, 'test', { user: EVERYTHING.name, password: EVERYTHING.password });
const freshFile = () => join(server.stateDirectory, `model-${(files += 1)}.sqlite`);
const task = (number: number) => entriesOfTask(namespace, signers, number, steps);
const head = async (on: Bus) => (await on.manager.streams.info(stream)).state.last_seq;

interface Given {
  on?: Bus;
  batchSize?: number;
  keys?: PublicKeys;
}

/** Follows the record until the body is done. */
async function following(
  file: string,
  body: (model: ReadModel, caughtUp: () => Promise<unknown>) => Promise<void>,
  { on = bus, batchSize = fewEntries, keys = publicKeys }: Given = {},
): Promise<void> {
  const model = openReadModel(file, namespace);
  const ending = new AbortController();
  const record = openRecord(on, namespace, keys, batchSize);
  const { done } = followRecord(model, record, silent, ending.signal);
  try {
    await body(model, () =>
      eventually(async () => model.progress().sequence === (await head(on)), 'the read model to catch up'),
    );
  } finally {
    ending.abort();
    await done;
    model.close();
  }
}

test('read model: what is appended is known, and one that stops and goes on equals one that is built at once', async () => {
  const file = freshFile();
  await append(bus, task(1));
  await following(file, async (model, caughtUp) => {
    await caughtUp();
    await append(bus, task(2).slice(0, 8));
    await caughtUp();
    expect(answerTotals(model)).toMatchObject({ tasks: 2, events: eventsOfTask(steps) + 8, notBelieved: 0 });
  });
  await append(bus, [...task(2).slice(8), ...task(3)]);
  await following(file, async (model, caughtUp) => {
    await caughtUp();
    const { task: summary, events } = answerTask(model, { taskId: syntheticTaskId(2) });
    expect(summary).toMatchObject({ state: 'paused', calls: steps, events: eventsOfTask(steps) });
    expect(events.map(({ event }) => (event as { id: string }).id)).toEqual(
      task(2).map(({ event }) => event.id),
    );
  });
  const another = freshFile();
  const atOnce = 1000;
  await following(another, async (_model, caughtUp) => void (await caughtUp()), { batchSize: atOnce });
  expect(dumpReadModel(another)).toEqual(dumpReadModel(file));
});

test('read model: what nobody signed for its journal is passed over, and what is stored twice counts once', async () => {
  const [first, second] = task(10);
  const copy = headers();
  copy.set(signatureHeader, first!.signature);
  await append(bus, [first!]);
  await bus.jetstream.publish(first!.journal, first!.body, { headers: copy });
  await bus.jetstream.publish(second!.journal, second!.body);
  await bus.jetstream.publish(task(11)[0]!.journal, first!.body, { headers: copy });
  await bus.jetstream.publish(first!.journal, 'no json');
  const file = freshFile();
  const expectOne = (model: ReadModel, notBelieved: number) => {
    const { task: summary, events } = answerTask(model, { taskId: syntheticTaskId(10) });
    expect(events).toHaveLength(1);
    expect(summary.events).toBe(1);
    expect(answerTotals(model).notBelieved).toBe(notBelieved);
  };
  await following(file, async (model, caughtUp) => {
    await caughtUp();
    expectOne(model, 4);
  });
  await bus.jetstream.publish(first!.journal, first!.body, { headers: copy });
  await following(file, async (model, caughtUp) => {
    await caughtUp();
    expectOne(model, 5);
  });
});

test('read model: a file that is damaged or of another mesh is begun anew', async () => {
  const file = freshFile();
  openReadModel(file, 'other').close();
  await cp(new URL(import.meta.url).pathname, `${file}.bad`);
  for (const one of [file, `${file}.bad`])
    await following(one, async (model, caughtUp) => {
      await caughtUp();
      expect(answerTotals(model).events).toBeGreaterThan(0);
    });
});

test('read model: asked to begin anew in the middle, it ends with the same under another name', async () => {
  const file = freshFile();
  await following(file, async (model, caughtUp) => {
    await caughtUp();
    const before = dumpReadModel(file);
    const { record } = model.progress();
    for (let round = 0; round < 5; round += 1) {
      model.beginAnew();
      await new Promise((resolve) => setTimeout(resolve, round * 3));
    }
    await caughtUp();
    expect(model.progress().record).not.toBe(record);
    expect(dumpReadModel(file)).toEqual(before);
  });
});

test('read model: a stream that was made anew is noticed while it is followed', async () => {
  await following(freshFile(), async (model, caughtUp) => {
    await caughtUp();
    const before = model.progress();
    await bus.manager.streams.delete(stream);
    await ensureStreams(bus, namespace, ['local'], 6000);
    // As many as before, so that the place exists again.
    for (let number = 20; (await head(bus)) <= before.sequence; number += 1) await append(bus, task(number));
    await caughtUp();
    expect(model.progress().record).not.toBe(before.record);
    expect(answerTotals(model).events).toBe(await head(bus));
    expect(() => answerTask(model, { taskId: syntheticTaskId(1) })).toThrow(/no task/);
  });
});

test('read model: a broker that comes back with an older store is noticed', async () => {
  const own = await startTestServer();
  const store = join(own.stateDirectory, 'nats/jetstream');
  const older = join(own.stateDirectory, 'older');
  let running = own;
  try {
    const first = await connectTo(own);
    await ensureStreams(first, namespace, ['local'], 6000);
    await append(first, task(30));
    await own.stop();
    await cp(store, older, { recursive: true });
    running = { ...own, ...(await startTestServer({ stateDirectory: own.stateDirectory, port: own.port })) };
    await eventually(() => first.connection.rtt().catch(() => undefined), 'the connection');
    await following(
      freshFile(),
      async (model, caughtUp) => {
        await append(first, task(31));
        await caughtUp();
        const { record } = model.progress();
        await running.stop();
        await rm(store, { recursive: true });
        await cp(older, store, { recursive: true });
        running = {
          ...own,
          ...(await startTestServer({ stateDirectory: own.stateDirectory, port: own.port })),
        };
        await eventually(() => first.connection.rtt().catch(() => undefined), 'the connection');
        // Others take the places of those that were lost.
        await append(first, task(32));
        await eventually(() => model.progress().record !== record, 'the loss to be noticed');
        await caughtUp();
        expect(answerTotals(model)).toMatchObject({ tasks: 2, events: await head(first) });
        expect(() => answerTask(model, { taskId: syntheticTaskId(31) })).toThrow(/no task/);
      },
      { on: first },
    );
    await first.connection.close();
  } finally {
    await running.stop();
    await own[Symbol.asyncDispose]();
  }
});
