import { v4 } from 'uuid';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Bus } from '../bus/connect.ts';
import { readPublicKeys } from '../bus/credentials.ts';
import { readBelieved } from '../bus/journal.ts';
import { openLog } from '../bus/log.ts';
import { openVerifier } from '../bus/signature.ts';
import { shortType } from '../schemas/envelope.ts';
import { exampleEvent } from '../schemas/examples.ts';
import { journalSubject, roleInbox } from '../schemas/subject.ts';
import { violations } from './oracle.ts';
import { eventually } from './yard-parts.ts';
import { namespace, openYard, streams, type Yard } from './yard.ts';

let yard: Yard;
let coder: Bus;
beforeAll(async () => {
  // Without a reviewer a task stands still at its review, long enough to be tampered with.
  yard = await openYard({ processes: { manager: 1, router: 1, inference: 1, coder: 1 } });
  coder = await yard.connectAs('coder');
});
afterAll(() => yard?.stop());

const refusal = /Permissions Violation for Publish/;
const taskJournal = (taskId: string) => journalSubject(namespace, { entity: 'task', taskId });
/** As the manager would say it, but for the signature that only the manager can make. */
const completed = (taskId: string) =>
  JSON.stringify({ ...exampleEvent('task.completed'), id: v4(), subject: taskId, correlationid: taskId });

test('forgery: the broker refuses each role what another has to say', async () => {
  const taskId = v4();
  await expect(coder.jetstream.publish(taskJournal(taskId), completed(taskId))).rejects.toThrow(refusal);
  const reviewer = await yard.connectAs('reviewer');
  const run = journalSubject(namespace, { entity: 'run', taskId, role: 'coder', id: v4() });
  const concluded = JSON.stringify({ ...exampleEvent('run.concluded'), subject: taskId });
  await expect(reviewer.jetstream.publish(run, concluded)).rejects.toThrow(refusal);
  const call = journalSubject(namespace, { entity: 'call', taskId, id: v4() });
  await expect(coder.jetstream.publish(call, '{}')).rejects.toThrow(refusal);
  await expect(coder.jetstream.publish(roleInbox(namespace, 'reviewer', taskId), '{}')).rejects.toThrow(
    refusal,
  );
  await expect(coder.jetstream.publish(`${namespace}.submit`, '{}')).rejects.toThrow(refusal);
  // The credentials are good: on the own journal the broker takes it.
  await expect(coder.jetstream.publish(run, concluded)).resolves.toMatchObject({ stream: streams.events });
});

test('forgery: a role hears no delivery to another, with which it could take that work away', async () => {
  const reviewer = await yard.connectAs('reviewer');
  const heard: string[] = [];
  const refused: string[] = [];
  const listen = (subject: string) =>
    reviewer.connection.subscribe(subject, {
      callback: (error, message) => void (error ? refused.push(subject) : heard.push(message.subject)),
    });
  const others = ['_INBOX_manager.>', '_INBOX_coder.>', '_INBOX.>', '>'];
  for (const subject of [...others, '_INBOX_reviewer.>']) listen(subject);
  await eventually(() => refused.length === others.length, 'the broker to refuse');
  const taskId = await yard.submit();
  await yard.until(taskId, (_one, type) => type === 'task.handed_over');
  expect(refused.toSorted()).toEqual(others.toSorted());
  expect(heard).toEqual([]);
  // What it may hear it does hear, so that the silence above means something.
  await reviewer.manager.streams.info(streams.events);
  expect(heard.length).toBeGreaterThan(0);
});

test('forgery: what JetStream was made to deliver onto another journal is not believed, and the task goes on', async () => {
  const taskId = await yard.submit();
  await yard.until(taskId, (_one, type) => type === 'task.handed_over');
  const target = taskJournal(taskId);

  // The coder stores the words where it may, and has them delivered where it may not.
  const get = (sequence: number) => {
    const body = JSON.stringify({ seq: sequence });
    coder.connection.publish(`$JS.API.DIRECT.GET.${streams.events}`, body, { reply: target });
  };
  const onTarget = async () =>
    (await yard.client.readRaw(taskId)).filter(({ journal }) => journal === target);
  const own = journalSubject(namespace, { entity: 'run', taskId, role: 'coder', id: v4() });
  const { seq: forged } = await coder.jetstream.publish(own, completed(taskId));
  get(forged);
  await eventually(async () => (await onTarget()).length === 3, 'the forgery to stand on the journal');
  // The manager's own words bear the place that they were said at, and the broker stores them nowhere else.
  for (const { sequence } of (await onTarget()).slice(0, 2)) get(sequence);
  get(forged);
  await eventually(async () => (await onTarget()).length === 4, 'the second forgery to stand there');

  await yard.start('reviewer');
  const keys = await readPublicKeys(yard.stateDirectory);
  const believing = {
    bus: yard.admin,
    namespace,
    log: openLog('test', 'silent'),
    verify: openVerifier(keys),
  };
  const believed = async () => {
    const types: string[] = [];
    for await (const { event } of readBelieved(believing, target)) types.push(shortType(event.type));
    return types;
  };
  await eventually(
    async () => (await believed()).at(-1) === 'task.completed',
    'the manager itself to complete the task',
  );
  expect(await believed()).toEqual(['task.accepted', 'task.handed_over', 'task.completed']);
  // The oracle sees the forgeries, so that it would see one elsewhere.
  const found = violations(await yard.client.readRaw(taskId), namespace, keys);
  expect(found.filter((line) => line.includes('not signed by the manager'))).toHaveLength(3);
});

test('forgery: a homecoming that names what nobody signed moves no task, and a person is told', async () => {
  const taskId = await yard.submit({ approvePlan: true, plan: 'planner' });
  await yard.until(taskId, (_one, type) => type === 'route.decided');
  const run = journalSubject(namespace, { entity: 'run', taskId, role: 'coder', id: v4() });
  const { seq } = await coder.jetstream.publish(
    run,
    JSON.stringify({ ...exampleEvent('run.concluded'), subject: taskId, correlationid: taskId }),
  );
  const home = {
    ...exampleEvent('work.concluded'),
    id: v4(),
    subject: taskId,
    correlationid: taskId,
    data: { journal: run, sequence: seq },
  };
  await coder.jetstream.publish(roleInbox(namespace, 'manager', taskId), JSON.stringify(home));
  // Unsigned as it is, the event named is not there for anyone: the message becomes a dead letter and a person is told.
  expect(await yard.ended(taskId)).toBe('task.paused');
  const paused = (await yard.events(taskId)).find(({ event }) => shortType(event.type) === 'task.paused');
  expect(paused?.event.data).toMatchObject({ kind: 'dead_letter' });
});
