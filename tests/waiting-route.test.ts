import { afterAll, beforeAll, expect, test } from 'vitest';
import { openYard, type Yard } from './yard.ts';

let yard: Yard;
beforeAll(async () => {
  // Nobody asks models yet, and the sweep comes too late to help.
  yard = await openYard({ processes: { manager: 1, router: 1, coder: 1, reviewer: 1 }, sweepMs: 300_000 });
});
afterAll(() => yard?.stop());

test('waiting route: it is decided as soon as its pool has a worker', async () => {
  const taskId = await yard.submit();
  await yard.until(taskId, (_one, type) => type === 'route.waiting');
  await yard.start('inference');
  expect(await yard.ended(taskId)).toBe('task.completed');
});
