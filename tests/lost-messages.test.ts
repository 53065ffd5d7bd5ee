import { afterAll, beforeAll, expect, test } from 'vitest';
import { shortType, type Envelope } from '../schemas/envelope.ts';
import type { Role } from '../schemas/row.ts';
import { eventually, type BareProcess } from './yard-parts.ts';
import { openYard, streams, type Yard } from './yard.ts';

let yard: Yard;
beforeAll(async () => {
  yard = await openYard({ processes: {}, sweepMs: 1000, leaseMs: 1000 });
});
afterAll(() => yard?.stop());

async function waiting(type: string): Promise<{ sequence: number }[]> {
  const { state } = await yard.admin.manager.streams.info(streams.inbox);
  const found: { sequence: number }[] = [];
  for (let sequence = state.first_seq; sequence <= state.last_seq; sequence += 1) {
    const stored = await yard.admin.manager.direct
      .getMessage(streams.inbox, { seq: sequence })
      .catch(() => null);
    if (stored && shortType(stored.json<Envelope>().type) === type) found.push({ sequence });
  }
  return found;
}

/** Loses every message of a type that waits in the inbox. */
async function lose(type: string): Promise<void> {
  const messages = await eventually(async () => {
    const found = await waiting(type);
    return found.length > 0 ? found : undefined;
  }, `a ${type} to lose`);
  for (const { sequence } of messages)
    await yard.admin.manager.streams.deleteMessage(streams.inbox, sequence, false);
}

const isBack = (type: string) =>
  eventually(async () => (await waiting(type)).length > 0, `the sweep to bring ${type} back`);

async function start(role: Role): Promise<BareProcess> {
  const started = yard.startBare(role);
  await started.ready;
  return started;
}

async function end(process: BareProcess): Promise<void> {
  process.kill('SIGKILL');
  await process.gone;
}

test('sweep: every kind of message that is lost comes back, and the task is done once', async () => {
  const manager = await start('manager');
  const taskId = await yard.submit();
  const comes = (wanted: string) => yard.until(taskId, (_one, type) => type === wanted);
  for (const type of ['work.route', 'task.watch', 'task.deadline']) await lose(type);
  for (const type of ['work.route', 'task.watch', 'task.deadline']) await isBack(type);

  // The route is decided and its run.start is lost: the journal of the run stays empty.
  const inference = await start('inference');
  await start('router');
  await lose('run.start');
  await isBack('run.start');

  // The question and the timer over it are lost, while nobody is there who answers.
  await end(inference);
  const coder = await start('coder');
  for (const type of ['call.ask', 'call.deadline']) await lose(type);
  for (const type of ['call.ask', 'call.deadline']) await isBack(type);

  // The answer is stored and its homecoming is lost, while no coder is there.
  await end(coder);
  await start('inference');
  await lose('call.answered');
  await end(manager);
  await start('coder');
  await comes('run.replied');

  // The run is concluded and nobody heard of it, while no manager is there.
  await comes('run.concluded');
  await lose('work.concluded');
  await start('manager');
  await comes('task.handed_over');

  await start('reviewer');
  expect(await yard.ended(taskId)).toBe('task.completed');
  expect(await yard.problemsOf(taskId)).toEqual([]);
});
