import { afterAll, beforeAll, expect, test } from 'vitest';
import { mostTakeOvers } from '../inference/call.ts';
import { verifyTask } from '../replay/verify.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import { namespace, openYard, type Yard } from './yard.ts';

const most = mostTakeOvers + 1;
let yard: Yard;
beforeAll(async () => {
  // Whoever is on the coder's first call dies as native code dies, one worker after the other.
  const crashes = Array.from({ length: most }, (_, index) => `acted=answer.${index + 1}:crash`);
  yard = await openYard({ faults: { inference: crashes } });
});
afterAll(() => yard?.stop());

test('crash: a call on which worker after worker dies of SIGSEGV is given up with the reason, not the worker', async () => {
  const taskId = await yard.submit();
  const { event } = await yard.until(taskId, (_one, type) => type === 'call.failed');
  const failed = event.data as DataOf<'call.failed'>;
  expect(failed).toMatchObject({ kind: 'retryable', cause: 'crash', attempts: most });
  expect(failed.message).toMatch(/4 workers in a row ended .* it is given up/);
  const events = await yard.events(taskId);
  const types = events.map((one) => shortType(one.event.type));
  expect(types.filter((type) => type === 'call.taken_over')).toHaveLength(mostTakeOvers);
  expect(yard.deaths.filter(({ role }) => role === 'inference').map(({ how }) => how)).toEqual(
    Array.from({ length: most }, () => expect.stringContaining('SIGSEGV')),
  );
  // There is no other model to ask, so a person is; whose answer finds a worker that lives.
  expect(await yard.ended(taskId)).toBe('task.paused');
  const replayed = await verifyTask(await yard.client.readRaw(taskId), { namespace });
  expect(replayed.problems).toEqual([]);
  const next = await yard.submit();
  expect(await yard.ended(next)).toBe('task.completed');
});
