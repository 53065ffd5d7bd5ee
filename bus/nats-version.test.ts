import { expect, test } from 'vitest';
import { isAtLeast } from './nats-version.ts';

test.each([
  ['2.10.0', '2.10.0', true],
  ['2.15.1', '2.10.0', true],
  ['2.9.10', '2.10.0', false],
  ['3.0.0', '2.10.0', true],
  ['2.10.0-RC.1', '2.10.0', false],
  ['2.11.0-RC.1', '2.10.0', true],
])('nats-server version: %s at least %s is %s', (version, minimum, answer) => {
  expect(isAtLeast(version, minimum)).toBe(answer);
});
