import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCredentials } from '../bus/credentials.ts';
import { openRecord, type Place } from '../bus/record.ts';
import { readModelFile } from '../config/read-model-file.ts';
import { querySubject, takeEvents, type Reached } from '../observability/query.ts';
import { openReadModel } from '../observability/observer/read-model.ts';
import type { RecordedEvent } from '../observability/task-view.ts';
import { shortType } from '../schemas/envelope.ts';
import type { QueryName, QueryReply, QueryRequest } from '../schemas/query.ts';
import { roles } from '../schemas/row.ts';
import { dumpReadModel } from './read-model-dump.ts';
import { append, entriesOfTask, signersOf, syntheticTaskId } from './synthetic-record.ts';
import { eventually } from './yard-parts.ts';
import { namespace, openYard, streams, type Yard } from './yard.ts';

let yard: Yard;
let signers: ReturnType<typeof signersOf>;
beforeAll(async () => {
  yard = await openYard();
  signers = signersOf(await loadCredentials(yard.stateDirectory, [...roles]));
  await yard.startObserver();
});
afterAll(() => yard?.stop());

class Refused extends Error {
  readonly code: number;
  readonly errors: string[];
  constructor(code: number, errors: string[]) {
    super(errors.join('; '));
    this.code = code;
    this.errors = errors;
  }
}

/** As `nats req` asks, with the rights of the operator. */
async function ask<Name extends QueryName>(
  name: Name,
  request: QueryRequest<Name> | string,
  timeout = 120_000,
): Promise<QueryReply<Name>> {
  const body = typeof request === 'string' ? request : JSON.stringify(request);
  const reply = await yard.client.bus.connection.request(querySubject(namespace, name), body, { timeout });
  const code = reply.headers?.get('Nats-Service-Error-Code');
  if (code) throw new Refused(Number(code), reply.json<{ errors: string[] }>().errors);
  return reply.json<QueryReply<Name>>();
}

const head = async () => (await yard.admin.manager.streams.info(streams.events)).state.last_seq;
/** An observer that is being started again answers nobody for a moment; what one is asked as it is killed, nobody ever. */
const caughtUp = () =>
  eventually(async () => {
    const totals = await ask('totals', {}, 10_000).catch(() => undefined);
    return totals?.position === (await head()) ? totals : undefined;
  }, 'the observer to know everything');

/** Everything since a place, as a page asks for it. */
async function followOn(known: Reached | undefined, limit: number) {
  const events: RecordedEvent[] = [];
  let reached = known;
  for (;;) {
    const reply = await ask('events', { after: reached?.position ?? 0, limit });
    const taken = takeEvents(reached, reply);
    expect(taken.isAnew).toBe(false);
    events.push(...taken.events);
    reached = taken.reached;
    if (!reply.more) return { events, reached };
  }
}

const pidOfObserver = () => yard.launcher.children().find((child) => child.program === 'observer')?.pid;

test('observer: a task that ran is answered for as its own journal tells it', async () => {
  const taskId = await yard.submit();
  expect(await yard.ended(taskId)).toBe('task.completed');
  await caughtUp();
  const told = await yard.events(taskId);
  const { events, task } = await ask('task', { taskId });
  expect(events).toEqual(told);
  expect(task).toMatchObject({
    taskId,
    state: 'completed',
    models: ['scripted'],
    isScripted: true,
    openCalls: 0,
    events: told.length,
    firstSequence: told[0]!.sequence,
    lastSequence: told.at(-1)!.sequence,
  });
  expect(task.calls).toBe(told.filter(({ event }) => shortType(event.type) === 'call.completed').length);
  const { tasks, counts } = await ask('tasks', {});
  expect(tasks).toEqual([task]);
  expect(counts).toEqual({ completed: 1 });
  const totals = await ask('totals', {});
  expect(totals).toMatchObject({ tasks: 1, events: told.length, notBelieved: 0, calls: task.calls });
  expect(totals.byModel).toMatchObject([{ model: 'scripted', backend: 'scripted', calls: task.calls }]);
  expect(totals.byRole.map((one) => one.role).toSorted()).toEqual(['coder', 'reviewer']);
});

test('observer: who is alive and which pools there are, at once', async () => {
  const agents = await ask('agents', {});
  expect(agents.processes.map((one) => one.role)).toEqual([
    'coder',
    'inference',
    'manager',
    'observer',
    'reviewer',
    'router',
  ]);
  const itself = agents.processes.find((one) => one.role === 'observer')!;
  expect(itself).toMatchObject({ pid: pidOfObserver(), pools: [], slots: 0, busySlots: 0 });
  expect(itself.memoryBytes).toBeGreaterThan(0);
  const inference = agents.processes.find((one) => one.role === 'inference')!;
  expect(agents.pools).toMatchObject([
    { pool: 'scripted', workers: [inference.process], waiting: 0, breaker: { phase: 'closed' } },
  ]);
  expect(agents.queues.map((one) => one.consumer)).toContain('role-coder');
});

test('observer: a message that was given up is in its list', async () => {
  const role = 'coder';
  await yard.admin.jetstream.publish(`${namespace}.inbox.role.${role}.nothing`, 'no json');
  const letters = await eventually(async () => {
    const found = (await ask('dead', {})).letters;
    return found.length > 0 ? found : undefined;
  }, 'the dead letter');
  expect(letters).toMatchObject([{ role, subject: `${namespace}.inbox.role.${role}.nothing` }]);
  expect(letters[0]!.reasons.join()).toMatch(/JSON|CloudEvent/);
  expect(letters[0]!.retry).toContain('dead retry');
  // It is one of the events of the mesh itself, of which no task is asked for.
  const { events } = await ask('mesh', { limit: 1 });
  expect(events).toMatchObject([
    { sequence: letters[0]!.sequence, event: { data: { messageId: letters[0]!.messageId } } },
  ]);
});

test('observer: a request that breaks its schema is told everything that is wrong with it', async () => {
  const wrong = (name: QueryName, body: string) =>
    ask(name, body).catch((error: Refused) => ({ code: error.code, errors: error.errors }));
  expect(await wrong('tasks', '{"stat":"running","limit":0}')).toEqual({
    code: 400,
    errors: [expect.stringContaining('"stat"'), expect.stringContaining('limit')],
  });
  expect(await wrong('tasks', '{"state":"runing"}')).toMatchObject({ code: 400 });
  expect(await wrong('tasks', '{"cursor":"!"}')).toMatchObject({ code: 400 });
  expect(await wrong('task', '{}')).toMatchObject({ code: 400 });
  expect(await wrong('task', '{"taskId":"nobody"}')).toMatchObject({ code: 404 });
  expect(await wrong('events', 'after 3')).toMatchObject({
    code: 400,
    errors: [expect.stringContaining('JSON')],
  });
  expect(await wrong('totals', '')).toHaveProperty('tasks');
});

const synthetic = 30;

test('observer: tasks are found by state, text, role and model, and pages neither miss nor repeat', async () => {
  for (let number = 1; number <= synthetic; number += 1)
    await append(yard.admin, entriesOfTask(namespace, signers, number, 2));
  await caughtUp();
  const ids = (reply: QueryReply<'tasks'>) => reply.tasks.map((one) => one.taskId);
  const wanted = (fits: (number: number) => boolean) =>
    Array.from({ length: synthetic }, (_, index) => synthetic - index)
      .filter(fits)
      .map(syntheticTaskId);
  const all = { limit: 500 };
  expect(ids(await ask('tasks', { ...all, state: 'paused' }))).toEqual(wanted((one) => one % 2 === 0));
  expect(ids(await ask('tasks', { ...all, text: 'the CLOCK' }))).toEqual(wanted((one) => one % 3 === 0));
  expect(ids(await ask('tasks', { ...all, text: '100%_' }))).toEqual([]);
  expect(ids(await ask('tasks', { ...all, text: syntheticTaskId(7).slice(0, 13) }))).toEqual([
    syntheticTaskId(7),
  ]);
  const large = await ask('tasks', {
    ...all,
    model: 'large-coder',
    text: 'fence',
    state: ['paused', 'failed'],
  });
  expect(ids(large)).toEqual(wanted((one) => one % 2 === 0 && one % 3 !== 0));
  expect(large.counts).toEqual({ paused: large.tasks.length });
  expect(ids(await ask('tasks', { ...all, role: 'nobody' }))).toEqual([]);
  expect((await ask('tasks', { ...all, role: 'coder', text: 'Goal' })).tasks).toHaveLength(synthetic);

  const paged: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await ask('tasks', { limit: 7, text: 'Goal', ...(cursor ? { cursor } : {}) });
    paged.push(...ids(page));
    cursor = page.next;
    // One that comes in between is no part of the pages that follow.
    if (paged.length === 7)
      await append(yard.admin, entriesOfTask(namespace, signers, synthetic + 1, 1)).then(caughtUp);
  } while (cursor);
  expect(paged).toEqual(wanted(() => true));

  const taskId = syntheticTaskId(1);
  const whole = await ask('task', { taskId });
  const parts: unknown[] = [];
  for (let more = true, after = 0; more;) {
    const part = await ask('task', { taskId, after, limit: 4 });
    parts.push(...part.events);
    after = part.events.at(-1)!.sequence;
    more = part.more;
  }
  expect(parts).toEqual(whole.events);
});

test('observer: killed with kill -9 over and over while tasks run, it neither misses nor repeats', async () => {
  let isOver = false;
  const killing = (async () => {
    for (let kills = 0; !isOver || kills < 4; kills += 1) {
      await eventually(pidOfObserver, 'an observer');
      await sleep(120 + ((kills * 173) % 400));
      const pid = pidOfObserver();
      if (pid) process.kill(pid, 'SIGKILL');
    }
  })();
  const taskIds = [await yard.submit(), await yard.submit()];
  for (let number = 100; number < 140; number += 1) {
    await append(yard.admin, entriesOfTask(namespace, signers, number, 5));
    await sleep(20);
  }
  for (const taskId of taskIds) expect(await yard.ended(taskId)).toBe('task.completed');
  isOver = true;
  await killing;
  await caughtUp();
  const { events } = await followOn(undefined, 300);
  const last = await head();
  expect(events.map((one) => one.sequence)).toEqual(Array.from({ length: last }, (_, index) => index + 1));

  // A second model, built at once in this process, is the same.
  const file = join(yard.area, 'built-at-once.sqlite');
  const model = openReadModel(file, namespace);
  const record = openRecord(yard.admin, namespace, await publicKeys());
  const placeOf = (dump: Record<string, string>) => (JSON.parse(dump['progress']!) as Place).sequence;
  // The manager tells of who was killed seconds later: they are compared where both stand at one place.
  const [known, builtAtOnce] = await eventually(async () => {
    for await (const batch of record.readAfter(model.progress()))
      if (batch !== 'other') model.take(batch.entries);
    const dumps = [dumpReadModel(readModelFile(yard.stateDirectory)), dumpReadModel(file)] as const;
    return placeOf(dumps[0]) === placeOf(dumps[1]) ? dumps : undefined;
  }, 'both to stand at one place');
  model.close();
  expect(known).toEqual(builtAtOnce);
});

test('observer: asked to build anew, it tells so by another name and knows the same', async () => {
  // Once more where the record grew meanwhile.
  const { before, after, reached, known } = await eventually(async () => {
    const before = await caughtUp();
    const { reached } = await followOn(undefined, 2000);
    const known = dumpReadModel(readModelFile(yard.stateDirectory));
    process.kill(pidOfObserver()!, 'SIGHUP');
    const after = await eventually(async () => {
      const totals = await caughtUp();
      return totals.record === before.record ? undefined : totals;
    }, 'another record');
    return after.position === before.position ? { before, after, reached, known } : undefined;
  }, 'the record to be still');
  expect({ ...after, record: '', atMs: 0 }).toEqual({ ...before, record: '', atMs: 0 });
  expect(dumpReadModel(readModelFile(yard.stateDirectory))).toEqual(known);
  const reply = await ask('events', { after: reached.position });
  expect(takeEvents(reached, reply)).toEqual({
    isAnew: true,
    events: [],
    reached: { record: after.record, position: 0 },
  });
});

test('observer: its user reads, answers and can do nothing else', async () => {
  const observer = await yard.connectAs('observer');
  const refused = (subject: string) =>
    expect(
      observer.connection.request(subject, '{}', { timeout: 3000 }),
      `${subject} was not refused`,
    ).rejects.toThrow(/Permissions Violation/);
  for (const subject of [
    `${namespace}.submit`,
    `${namespace}.event.a.task`,
    `${namespace}.inbox.role.coder.a`,
    `${namespace}.live.a.b`,
    `${namespace}.dead.coder.a`,
    `$KV.${namespace}_registry.coder.a`,
    `$KV.${namespace}_registry.observer`,
    `$JS.API.CONSUMER.CREATE.${streams.events}.mine`,
    `$JS.API.STREAM.DELETE.${streams.events}`,
    `$JS.API.DIRECT.GET.${streams.inbox}`,
    `$JS.API.DIRECT.GET.${streams.dead}`,
    '$JS.ACK.YARD_INBOX.role-coder.1.1.1.1.1',
  ])
    await refused(subject);
  expect((await observer.manager.streams.info(streams.events)).state.messages).toBeGreaterThan(0);
});

const publicKeys = async () => {
  const credentials = await loadCredentials(yard.stateDirectory, [...roles]);
  return Object.fromEntries(Object.values(credentials).map((one) => [one.name, one.publicKey]));
};
