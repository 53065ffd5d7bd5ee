import { expect, test } from 'vitest';
import { textOf } from '../observability/span.ts';
import { backlogText } from './status.ts';

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
