import { expect, test } from 'vitest';
import { addWindow, windowFor, windowOfStart, type ModeWindow } from './observed.ts';

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
const shipping: ModeWindow = { key: 'all', mode: 'shipping', sinceMs: 30, endsBeforeMs: 30 };
const all: ModeWindow = { key: 'all', mode: 'debug', sinceMs: 40, untilMs: 60, endsBeforeMs: 30 };
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

test('observed: debugging all for a short while does not cut short what a crash opened; shipping does', () => {
  const short: ModeWindow = { key: 'all', mode: 'debug', sinceMs: 30, untilMs: 40 };
  expect(holds([crash, short], 35)).toBe('debug');
  expect(holds([crash, short], 50)).toBe('debug');
  expect(holds([short, crash], 50, { role: 'router', process: 'router.1' })).toBeUndefined();
  expect(holds([crash, short, { ...shipping, sinceMs: 45, endsBeforeMs: 45 }], 50)).toBe('shipping');
});

test('observed: a process that is started with OBS_MODE=debug falls back by itself, or when somebody says so', () => {
  const started = windowOfStart('debug', coder.process, 20)!;
  const fiveMinutes = 5 * 60_000;
  expect(holds([started], fiveMinutes)).toBe('debug');
  expect(holds([started], fiveMinutes + 20)).toBeUndefined();
  expect(holds([started, shipping], 50)).toBe('shipping');
  // What was switched before it was started does not hold against what it is started with.
  expect(holds([{ ...shipping, sinceMs: 10, endsBeforeMs: 10 }, started], 50)).toBe('debug');
  expect(windowOfStart('shipping', coder.process, 20)).toBeUndefined();
  expect(windowOfStart(undefined, coder.process, 20)).toBeUndefined();
});

test('observed: whoever hears of windows in any order comes to the same', () => {
  const list = [crash, role, shipping, all, later];
  // Whoever starts later hears the last of each journal alone.
  expect(holds([crash, role, all], 70)).toBeUndefined();
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
