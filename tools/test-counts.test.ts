import { expect, test } from 'vitest';
import { readTestCounts } from './test-counts.ts';

test.each([
  [
    'node TAP',
    'TAP version 13\nok 1 - a\n1..11\n# tests 11\n# suites 0\n# pass 9\n# fail 2\n# cancelled 0\n# duration_ms 61.6\n',
    9,
    2,
  ],
  ['node spec', '✔ a (0.4ms)\nℹ tests 11\nℹ pass 9\nℹ fail 1\nℹ cancelled 1\n', 9, 2],
  ['node with colours', '\u001b[34mℹ pass 3\u001b[39m\n\u001b[34mℹ fail 0\u001b[39m\n', 3, 0],
  [
    'vitest',
    ' Test Files  1 failed | 1 passed (2)\n      Tests  2 failed | 9 passed | 1 skipped (12)\n   Start at  10:00\n',
    9,
    2,
  ],
  ['vitest, all green', '      Tests  36 passed (36)\n', 36, 0],
  [
    'jest',
    'Test Suites: 1 failed, 2 passed, 3 total\nTests:       2 failed, 1 skipped, 9 passed, 12 total\n',
    9,
    2,
  ],
  ['mocha', '\n  9 passing (12ms)\n  2 failing\n\n  1) a\n', 9, 2],
  ['pytest', '=================== 2 failed, 9 passed, 1 error in 0.12s ===================\n', 9, 3],
  ['pytest -q', '9 passed, 1 warning in 0.05s\n', 9, 0],
  ['pytest, a long run', '==== 3 passed in 125.41s (0:02:05) ====\n', 3, 0],
  [
    'cargo, two binaries',
    'test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured\n\ntest result: FAILED. 4 passed; 2 failed; 0 ignored\n',
    9,
    2,
  ],
  [
    'go -v',
    '=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n--- FAIL: TestB (0.00s)\nFAIL\n',
    1,
    1,
  ],
  ['go, failures only', '--- FAIL: TestB (0.00s)\nFAIL\nFAIL\texample 0.002s\n', null, 1],
  ['go, nothing told', 'ok  \texample\t0.002s\n', null, null],
  ['a compiler', 'src/a.ts(1,1): error TS1: no\n', null, null],
  ['prose', 'We pass 3 tests in 4 days. # pass 3 is what it says\n', null, null],
])('test counts: %s', (_, output, passed, failed) => {
  expect(readTestCounts(output)).toEqual({ passed, failed });
});
