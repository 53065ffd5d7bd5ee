import { withoutColours } from './output.ts';

/** How many tests passed and failed, where the output tells. */
export interface TestCounts {
  passed: number | null;
  failed: number | null;
}

const unknown: TestCounts = { passed: null, failed: null };

/**
 * Reads the counts from what a test runner wrote: node --test (TAP and spec), vitest, jest, mocha, pytest,
 * cargo, go -v. Where several runners wrote one after the other the counts add up. Pure; colours are ignored.
 */
export function readTestCounts(output: string): TestCounts {
  const plain = withoutColours(output);
  const found = [fromNode, fromVitestAndJest, fromPytest, fromCargo, fromMocha, fromGo].map((read) =>
    read(plain),
  );
  const known = found.filter((counts) => counts.passed !== null || counts.failed !== null);
  if (known.length === 0) return unknown;
  return {
    passed: sum(known.map((counts) => counts.passed)),
    failed: sum(known.map((counts) => counts.failed)),
  };
}

/** `# pass 9` (TAP) or `ℹ pass 9` (spec); a cancelled test has failed. */
function fromNode(text: string): TestCounts {
  const count = (name: string): number | null =>
    sum(numbers(text, new RegExp(`^(?:#|ℹ) ${name} (\\d+)$`, 'gm')));
  const passed = count('pass');
  if (passed === null) return unknown;
  return { passed, failed: (count('fail') ?? 0) + (count('cancelled') ?? 0) };
}

/** `Tests  2 failed | 9 passed (11)` or `Tests:       2 failed, 9 passed, 11 total` */
function fromVitestAndJest(text: string): TestCounts {
  const lines = [...text.matchAll(/^\s*Tests:?\s+(.*(?:passed|failed|total|\(\d+\)).*)$/gm)].map(
    (match) => match[1]!,
  );
  if (lines.length === 0) return unknown;
  const count = (name: string): number =>
    sum(lines.flatMap((line) => numbers(line, new RegExp(`(\\d+) ${name}`, 'g')))) ?? 0;
  return { passed: count('passed'), failed: count('failed') };
}

/** `===== 2 failed, 9 passed, 1 error in 0.12s =====`, with or without the rule around it. */
function fromPytest(text: string): TestCounts {
  const pattern = /^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s?(?: \([\d:]+\))?(?: =+)?$/gm;
  const lines = [...text.matchAll(pattern)].map((match) => match[1]!);
  if (lines.length === 0) return unknown;
  const count = (name: string): number =>
    sum(lines.flatMap((line) => numbers(line, new RegExp(`(\\d+) ${name}`, 'g')))) ?? 0;
  return { passed: count('passed'), failed: count('failed') + count('errors?') };
}

/** `test result: FAILED. 9 passed; 2 failed; 0 ignored` */
function fromCargo(text: string): TestCounts {
  const line = /^test result: .*?(\d+) passed; (\d+) failed/gm;
  const matches = [...text.matchAll(line)];
  return {
    passed: sum(matches.map((match) => Number(match[1]))),
    failed: sum(matches.map((match) => Number(match[2]))),
  };
}

/** `  9 passing (12ms)` and `  2 failing` */
function fromMocha(text: string): TestCounts {
  const passed = sum(numbers(text, /^ {2}(\d+) passing\b/gm));
  if (passed === null) return unknown;
  return { passed, failed: sum(numbers(text, /^ {2}(\d+) failing\b/gm)) ?? 0 };
}

/** `--- PASS: TestX (0.00s)`, only with -v; without it go tells no counts. */
function fromGo(text: string): TestCounts {
  const count = (word: string): number => [...text.matchAll(new RegExp(`^--- ${word}: `, 'gm'))].length;
  const [passed, failed] = [count('PASS'), count('FAIL')];
  // Without -v only failures are named: then the number of those that passed is not known.
  if (passed + failed === 0) return unknown;
  return { passed: passed === 0 && !/^=== RUN/m.test(text) ? null : passed, failed };
}

const numbers = (text: string, pattern: RegExp): number[] =>
  [...text.matchAll(pattern)].map((match) => Number(match[1]));

function sum(values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
}
