import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DataOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import { roleInbox } from '../schemas/subject.ts';
import { namespace, openYard, streams, type Yard } from './yard.ts';

const leaseMs = 6000;
let yard: Yard;
beforeAll(async () => {
  yard = await openYard({
    processes: { manager: 1, router: 1, inference: 1, coder: 1 },
    faults: { coder: ['acted=edit-file.2.1:hold'] },
    leaseMs,
  });
});
afterAll(() => yard?.stop());

const pauseOf = async (taskId: string) => {
  const paused = (await yard.events(taskId)).findLast(({ event }) => shortType(event.type) === 'task.paused');
  return paused?.event.data as DataOf<'task.paused'>;
};

test('launcher: what a killed process held goes to another at once, not a lease later', async () => {
  const taskId = await yard.submit();
  const holder = await yard.launcher.held('edit-file.2.1');
  await yard.start('coder');
  const killedAtMs = Date.now();
  holder.kill('SIGKILL');
  const next = await yard.until(
    taskId,
    ({ event }, type) => type === 'run.stepped' && (event.data as DataOf<'run.stepped'>).number === 2,
  );
  expect(next.atMs - killedAtMs).toBeLessThan(leaseMs);
  // It was performed and committed before the kill, so that the other found it.
  expect((next.event.data as DataOf<'run.stepped'>).outcome).toMatchObject({ status: 'ok', adopted: true });
  await yard.until(taskId, (_one, type) => type === 'task.handed_over');
});

test('timers: a deadline that was put back outlives a broker that is killed', async () => {
  const taskId = await yard.submit({ limits: { deadlineMs: 4000 } });
  // From here on the deadline may pass at any moment, on a slow machine before the work comes to its review.
  await yard.until(taskId, (_one, type) => type === 'run.started');
  await yard.killBroker();
  await yard.startBroker();
  expect(await yard.ended(taskId)).toBe('task.paused');
  expect(await pauseOf(taskId)).toMatchObject({
    kind: 'deadline',
    mend: `./switchyard resume ${taskId} --deadline 1h`,
  });
});

test('drain: a coder that is told to stop ends what it has in hand, so that nobody has to take over', async () => {
  const taskId = await yard.submit();
  await yard.until(taskId, (_one, type) => type === 'run.started');
  const deaths = yard.deaths.length;
  const coders = yard.launcher.children().filter((child) => child.program === 'coder');
  for (const coder of coders) coder.kill('SIGTERM');
  // Once more, as a service manager does that tells the launcher and each of its processes.
  await sleep(5);
  for (const coder of coders) coder.kill('SIGTERM');
  await yard.until(taskId, (_one, type) => type === 'task.handed_over');
  expect(yard.deaths.slice(deaths)).toEqual(
    Array.from({ length: 2 }, () => ({ role: 'coder', how: 'ended with exit code 0' })),
  );
  expect((await yard.events(taskId)).map(({ event }) => shortType(event.type))).not.toContain(
    'run.taken_over',
  );
});

test('hole 14: a consumer that somebody deleted is made again, and what waits is taken', async () => {
  await yard.admin.manager.consumers.delete(streams.inbox, 'role-coder');
  await yard.admin.manager.consumers.delete(streams.inbox, 'pool-scripted');
  const taskId = await yard.submit();
  await yard.until(taskId, (_one, type) => type === 'task.handed_over');
});

test('hole 16: running out of a bound is an event with its reason, never a dead letter', async () => {
  const taskId = await yard.submit({ limits: { hops: 0 } });
  expect(await yard.ended(taskId)).toBe('task.paused');
  expect(await pauseOf(taskId)).toMatchObject({ kind: 'bound', reason: 'no hop is left for the review' });
  expect(await yard.client.deadLetters()).toEqual([]);
});

test('dead letter: it pauses the task whose inbox it lay in, and resuming lets the task go on', async () => {
  const taskId = await yard.submit();
  await yard.until(taskId, (_one, type) => type === 'task.handed_over');
  await yard.admin.jetstream.publish(roleInbox(namespace, 'coder', taskId), 'no JSON');
  expect(await yard.ended(taskId)).toBe('task.paused');
  const paused = await pauseOf(taskId);
  const [letter] = await yard.client.deadLetters();
  expect(paused).toMatchObject({ kind: 'dead_letter', mend: `./switchyard resume ${taskId}` });
  expect(paused.reason).toContain(`./switchyard dead retry ${letter!.id}`);
  await yard.start('reviewer');
  await yard.client.request('task.resume', { taskId });
  await yard.until(taskId, (_one, type) => type === 'task.completed');
  expect(await yard.problemsOf(taskId)).toEqual([]);
});
