import { expect, test } from 'vitest';
import { briefOf } from './brief.ts';
import { report, workOf } from './run-for-tests.ts';

test('brief: a bare goal is all there is to say', () => {
  expect(briefOf(workOf({ test: undefined }), '')).toBe('# Goal\nMeetings back to back do not overlap');
});

test('brief: says all that is known, the goal first and where it stands last', () => {
  const brief = briefOf(
    workOf({
      acceptance: 'all tests pass',
      notes: ['touching is no overlap'],
      findings: [
        { id: 'F1', severity: 'blocking', file: 'src/slots.js', line: 8, evidence: 'sorts in place' },
        { id: 'F2', severity: 'advice', evidence: 'a longer name' },
      ],
      lastTests: report(true),
    }),
    'The change so far:',
  );
  expect(brief).toBe(
    [
      '# Goal\nMeetings back to back do not overlap',
      '# Done when\nall tests pass',
      '# Test command\nnode --test',
      '# Notes\ntouching is no overlap',
      '# Findings of the last review\n- F1 (blocking, src/slots.js:8): sorts in place\n- F2 (advice): a longer name',
      '# Tests\nThey pass.\nall pass',
      '# Where it stands\nThe change so far:',
    ].join('\n\n'),
  );
});

test('brief: failing tests are said to fail', () => {
  expect(briefOf(workOf({ lastTests: report(false) }), '')).toContain('# Tests\nThey fail.\n2 fail');
});
