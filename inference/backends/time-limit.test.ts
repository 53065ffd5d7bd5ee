import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { limitTime } from './time-limit.ts';

test("time limit: one beyond what Node's timers hold ends nothing at once", async () => {
  const limit = limitTime(new AbortController().signal, { totalMs: 3e9, idleMs: 3e9 });
  limit.alive();
  await sleep(20);
  expect(limit.ended()).toBeUndefined();
  limit.release();
});
