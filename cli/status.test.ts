import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { textOf } from '../observability/span.ts';
import { backlogText, loadOf } from './status.ts';

const heartbeat = {
  role: 'coder',
  process: 'coder.00000000',
  host: hostname(),
  pid: 1,
  version: '0',
  pools: [],
  tags: [],
  slots: 5,
  busySlots: 0,
  memoryBytes: 0,
  threads: 2,
  startedAtMs: 0,
  atMs: 0,
};
const slots = { coder: 4, inference: 2 };

test('status: slots are those that the configuration names, not those for timers and new requests', () => {
  expect(loadOf(heartbeat, slots)).toEqual({ busySlots: 0, slots: 4 });
  expect(loadOf({ ...heartbeat, busySlots: 5 }, slots)).toEqual({ busySlots: 4, slots: 4 });
  const inference = { ...heartbeat, role: 'inference', pools: ['a', 'b'] };
  expect(loadOf(inference, slots)).toEqual({ busySlots: 0, slots: 4 });
});

test('status: a process with another configuration is shown as it says', () => {
  expect(loadOf({ ...heartbeat, host: 'elsewhere.invalid', slots: 9 }, slots)).toMatchObject({ slots: 9 });
  expect(loadOf({ ...heartbeat, slots: 2 }, slots)).toMatchObject({ slots: 2 });
});

test('status: timers wait by nature, also those of ended tasks, and are no line', () => {
  const said = (...backlogs: Parameters<typeof backlogText>[0]) =>
    backlogText(backlogs).map(textOf).join('\n');
  expect(said({ consumer: 'timer-manager', waiting: 80, inHand: 6 })).toBe('nothing waits\n');
  const both = said(
    { consumer: 'timer-manager', waiting: 80, inHand: 6 },
    { consumer: 'role-coder', waiting: 3, inHand: 1 },
  );
  expect(both).toMatch(/role-coder +3 +1/);
  expect(both).not.toContain('timer');
});
