import { expect, test } from 'vitest';
import { addWindow, windowFor, type ModeWindow } from './observed.ts';

const coder = { role: 'coder', process: 'coder.1' };
const crash: ModeWindow = {
  key: 'crash coder.0',
  mode: 'debug',
  sinceMs: 10,
  untilMs: 100,
  role: 'coder',
  why: 'gone',
};
const role: ModeWindow = { key: 'role_coder', mode: 'debug', sinceMs: 20, untilMs: 90, role: 'coder' };
const shipping: ModeWindow = { key: 'all', mode: 'shipping', sinceMs: 30 };
const all: ModeWindow = { key: 'all', mode: 'debug', sinceMs: 40, untilMs: 60 };
const later: ModeWindow = { ...crash, key: 'crash coder.2', sinceMs: 50 };

const holds = (list: ModeWindow[], nowMs: number, who = coder) => {
  const windows = new Map<string, ModeWindow>();
  for (const one of list) addWindow(windows, one);
  return windowFor(windows.values(), who, nowMs)?.mode;
};

test('observed: a window is for its role or process alone, and over when its time is', () => {
  expect(holds([crash], 50)).toBe('debug');
  expect(holds([crash], 100)).toBeUndefined();
  expect(holds([crash], 50, { role: 'router', process: 'router.1' })).toBeUndefined();
  expect(
    holds([{ ...role, key: 'process_coder-9', role: undefined!, process: 'coder.9' }], 50),
  ).toBeUndefined();
});

test('observed: whoever hears of windows in any order comes to the same', () => {
  const list = [crash, role, shipping, all, later];
  const orders = list.map((_, index) => [...list.slice(index), ...list.slice(0, index)]);
  for (const order of [...orders, list.toReversed()]) {
    expect(holds(order, 55)).toBe('debug');
    // The crash after it is not over yet.
    expect(holds(order, 70)).toBe('debug');
    expect(holds(order, 70, { role: 'router', process: 'router.1' })).toBeUndefined();
  }
  for (const order of [
    [crash, role, shipping],
    [shipping, crash, role],
    [role, shipping, crash],
  ])
    expect(holds(order, 50)).toBe('shipping');
});
