import { expect, test } from 'vitest';
import { failurePart } from './red-tests.ts';

const noise = Array.from({ length: 300 }, (_, line) => `> some step ${line}`).join('\n');

test.each([
  [
    'node, spec',
    '✔ adds (1ms)\n✖ subtracts (1ms)\nℹ pass 1\nℹ fail 1\n\n✖ failing tests:\n\n✖ subtracts\n  Expected 1',
    '✖ failing tests:',
  ],
  ['node, TAP', 'ok 1 - adds\nnot ok 2 - subtracts\n  error: no\n# pass 1\n# fail 1', 'not ok 2'],
  [
    'vitest',
    ' ✓ a.test.ts\n ❯ b.test.ts\n ⎯⎯ Failed Tests 1 ⎯⎯\n FAIL  b.test.ts > b\nAssertionError',
    ' ⎯⎯ Failed Tests 1',
  ],
  ['jest', 'PASS a.test.js\nFAIL b.test.js\n  ● b\n    expected', 'FAIL b.test.js'],
  ['pytest', 'collected 2\n=== FAILURES ===\n__ test_b __\nE  assert 1 == 2', '=== FAILURES ==='],
  ['mocha', '  ✔ a\n  1) b\n\n  1 passing (3ms)\n  1 failing\n\n  1) b:\n   AssertionError', '  1 failing'],
  ['cargo', 'test a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\npanicked', 'failures:'],
  ['go', '=== RUN TestB\n    b_test.go:3: got 1\n--- FAIL: TestB (0.00s)\nFAIL', '    b_test.go:3: got 1'],
  ['go, brief', 'ok  a 0.1s\n--- FAIL: TestB (0.00s)\n    b_test.go:3: got 1\nFAIL', '--- FAIL: TestB'],
  [
    'a program that throws',
    "file:///add.js:3\n  return a +;\nSyntaxError: Unexpected token ';'",
    'file:///add.js:3',
  ],
])('red tests: the excerpt of %s begins where it says what failed', (_name, output, start) => {
  expect(failurePart(output).startsWith(start)).toBe(true);
  expect(failurePart(`${noise}\n${output}`)).toContain(start);
});

test('red tests: what comes before the failure is not in the excerpt, and the end is kept where it is long', () => {
  const part = failurePart(`${noise}\nnot ok 1 - adds\n${'x'.repeat(50)}\n${noise}${noise}\nthe last line`);
  expect(part.startsWith('not ok 1 - adds')).toBe(true);
  expect(part.endsWith('the last line')).toBe(true);
  expect(part).toContain('characters left out');
  expect(part.length).toBeLessThan(4100);
});

test('red tests: output that names no failure gives its end, and none gives none', () => {
  expect(failurePart(`${noise}\nthe last line`)).toMatch(/the last line$/);
  expect(failurePart(`${noise}${noise}`).length).toBeLessThanOrEqual(4000);
  expect(failurePart('')).toBe('');
});
