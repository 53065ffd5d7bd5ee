import { setTimeout as sleep } from 'node:timers/promises';
import type { LlamaContext, Token } from 'node-llama-cpp';
import { expect, test } from 'vitest';
import { inOrderOfSequences, sharesOf } from './batching.ts';
import { openRounds } from './rounds.ts';

const item = (count: number) => ({
  tokens: Array.from({ length: count }, () => 1 as Token),
  logits: [],
  evaluationPriority: 5 as const,
});

test('batches: everybody gets a token before anybody gets more, and what is left is shared', () => {
  expect(sharesOf([item(1), item(600), item(1), item(600)], 512)).toEqual([1, 255, 1, 255]);
  expect(sharesOf([item(1), item(600)], 512)).toEqual([1, 511]);
  expect(sharesOf([item(3), item(2)], 512)).toEqual([3, 2]);
  expect(sharesOf([item(9), item(9), item(9)], 2)).toEqual([1, 1, 0]);
  expect(sharesOf([], 512)).toEqual([]);
});

test('batches: stand in the order of their sequences, or of the queue where that is not known', () => {
  const items = [item(1), item(2), item(3)];
  const context = { _queuedDecodes: [{ sequenceId: 2 }, { sequenceId: 0 }, { sequenceId: 1 }] };
  const of = (known: unknown) =>
    inOrderOfSequences(() => known as LlamaContext)({ items, size: 512 }).map((one) => one.processAmount);
  expect(of(context)).toEqual([2, 3, 1]);
  expect(of({})).toEqual([1, 2, 3]);
  expect(of(undefined)).toEqual([1, 2, 3]);
});

test('batches: where few together are slow they come one by one, in order, and never prompts', () => {
  const context = { _queuedDecodes: [{ sequenceId: 1 }, { sequenceId: 0 }] } as unknown as LlamaContext;
  const batch = inOrderOfSequences(
    () => context,
    () => 4,
  );
  const [first, second] = [item(1), item(1)];
  expect(batch({ items: [first, second], size: 512 })).toEqual([{ item: second, processAmount: 1 }]);
  expect(batch({ items: [first, item(2)], size: 512 })).toHaveLength(2);
});

test('rounds: all who write step together and in order, whoever was late the last time', async () => {
  const rounds = openRounds();
  const steps: number[][] = [];
  let open: number[] | undefined;
  async function writer(place: number, count: number): Promise<void> {
    for (let step = 0; step < count; step++)
      await rounds.step(place, async () => {
        if (!open) {
          open = [];
          steps.push(open);
          setImmediate(() => (open = undefined));
        }
        open.push(place);
        // Each time another one is late.
        await sleep((place + step) % 3 === 0 ? 8 : 1);
      });
  }
  await Promise.all([writer(2, 6), writer(0, 6), writer(1, 6), writer(3, 2)]);
  // The first comes alone, since nobody else was there yet.
  const whole = steps.filter((step) => step.length >= 3);
  expect(whole.length).toBeGreaterThanOrEqual(4);
  for (const step of steps) expect(step).toEqual(step.toSorted((left, right) => left - right));
  expect(steps.flat()).toHaveLength(20);
});

test('rounds: who writes alone never waits, and a step that fails lets the others go on', async () => {
  const rounds = openRounds();
  const results: number[] = [];
  for (let step = 0; step < 3; step++) results.push(await rounds.step(0, () => Promise.resolve(step)));
  expect(results).toEqual([0, 1, 2]);
  const failing = rounds.step(0, () => Promise.reject(new Error('broken')));
  const next = rounds.step(1, () => Promise.resolve('goes on'));
  await expect(failing).rejects.toThrow('broken');
  expect(await next).toBe('goes on');
});
