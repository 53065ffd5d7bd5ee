import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DataOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import { eventually } from './yard-parts.ts';
import { openYard, type Yard } from './yard.ts';

const leaseMs = 1000;
let yard: Yard;
beforeAll(async () => {
  // One message at a time: a stopped process would else swallow what is meant for the living, a lease for each.
  yard = await openYard({
    processes: { manager: 1, router: 1, inference: 1, reviewer: 1 },
    leaseMs,
    slots: { coder: 1 },
  });
});
afterAll(() => yard?.stop());

test.each(['decided=run.started', 'decided=run.stepped', 'acted=edit-file.2.1'])(
  'zombie: stopped at %s past its lease, another goes on; continued, it commits nothing',
  async (point) => {
    const zombie = yard.startBare('coder', `${point}:stop`);
    const name = await zombie.ready;
    const taskId = await yard.submit();
    await zombie.stopped();
    const other = yard.startBare('coder');
    await other.ready;
    expect(await yard.ended(taskId)).toBe('task.completed');
    const before = await yard.events(taskId);

    zombie.kill('SIGCONT');
    await eventually(
      () => readFileSync(zombie.logFile, 'utf8').includes('an append was not clean'),
      'the zombie to try',
    );
    zombie.kill('SIGTERM');
    await zombie.gone;
    expect(await yard.events(taskId)).toEqual(before);
    // Nothing of the zombie's is in the record from where it was stopped on.
    const stopped = before.findIndex(({ event }) => shortType(event.type) === 'run.taken_over');
    const said = before
      .slice(Math.max(0, stopped))
      .map(({ event }) => (event.data as DataOf<'run.stepped'>).given.process);
    if (point !== 'decided=run.started') expect(stopped).toBeGreaterThan(0);
    expect(said).not.toContain(name);
    expect(await yard.problemsOf(taskId)).toEqual([]);
    other.kill('SIGKILL');
    await other.gone;
  },
);

test('holder: without a launcher the lease brings the message back, and a probe that finds nobody waits no second one', async () => {
  const held = yard.startBare('coder', 'acted=edit-file.2.1:kill');
  await held.ready;
  const taskId = await yard.submit();
  await held.gone;
  const other = yard.startBare('coder');
  const taken = await yard.until(taskId, (_one, type) => type === 'run.taken_over');
  // At the first after its death, or put back once for what was left of the lease; who waits for another lease takes more.
  expect((taken.event.data as DataOf<'run.taken_over'>).claim.deliveries).toBeLessThanOrEqual(3);
  expect(await yard.ended(taskId)).toBe('task.completed');
  expect(await yard.problemsOf(taskId)).toEqual([]);
  other.kill('SIGKILL');
});
