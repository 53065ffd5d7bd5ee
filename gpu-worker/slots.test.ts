import { expect, test } from 'vitest';
import { openSlots } from './slots.ts';

const never = new AbortController().signal;

test('slots: a run gets the slot that served it last, another the one that was idle longest', async () => {
  const slots = openSlots(3);
  const [a, b, c] = [
    await slots.take('a', never),
    await slots.take('b', never),
    await slots.take('c', never),
  ];
  expect(new Set([a.place, b.place, c.place]).size).toBe(3);
  expect(slots.free()).toBe(0);
  for (const slot of [b, a, c]) slots.giveBack(slot);
  const again = await slots.take('c', never);
  expect(again.place).toBe(c.place);
  // a was used before b.
  const [aPlace, bPlace] = [a.place, b.place];
  expect((await slots.take('d', never)).place).toBe(aPlace);
  expect((await slots.take('e', never)).place).toBe(bPlace);
});

test('slots: who waits is served in turn, but a run that holds none before one that does', async () => {
  const slots = openSlots(2);
  const first = await slots.take('greedy', never);
  const second = await slots.take('greedy', never);
  const served: string[] = [];
  const waits = ['greedy', 'modest', 'other'].map((runId) =>
    slots.take(runId, never).then((slot) => {
      served.push(runId);
      return slot;
    }),
  );
  expect(slots.queued()).toBe(3);
  slots.giveBack(first);
  const modest = await waits[1]!;
  expect(served).toEqual(['modest']);
  slots.giveBack(modest);
  await waits[2];
  expect(served).toEqual(['modest', 'other']);
  slots.giveBack(second);
  await waits[0];
  expect(slots.queued()).toBe(0);
});

test('slots: who is cancelled while waiting leaves the queue', async () => {
  const slots = openSlots(1);
  const held = await slots.take(undefined, never);
  const controller = new AbortController();
  const waiting = slots.take('a', controller.signal);
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  expect(slots.queued()).toBe(0);
  slots.giveBack(held);
  expect(slots.free()).toBe(1);
  await expect(slots.take('a', controller.signal)).rejects.toThrow('enough');
});
