import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diffLines, piecesOf } from '../observability/dashboard/model/diff.ts';

test('dashboard: a diff is read line by line, with what changed within a line', () => {
  const lines = diffLines(
    'diff --git a/x.js b/x.js\nindex 1..2 100644\n--- a/x.js\n+++ b/x.js\n@@ -3,3 +3,3 @@ f\n same\n-  return a <= b;\n+  return a < b;\n-- gone\n',
  );
  expect(lines.map((one) => `${one.kind} ${one.number ?? ''}`.trim())).toEqual([
    'file',
    'hunk',
    'same 3',
    'removed 4',
    'added 4',
    'removed 5',
  ]);
  const part = (index: number) =>
    lines[index]!.changed!.map(([from, to]) => lines[index]!.text.slice(from, to));
  expect([part(3), part(4)]).toEqual([['<='], ['<']]);
});

/** A diff of one file, and of each line what has a colour, as `keyword:return`. */
const colouredParts = (file: string, hunk: string) =>
  diffLines(`diff --git a/${file} b/${file}\n@@ -1,9 +1,9 @@\n${hunk}`)
    .slice(2)
    .map((line) =>
      piecesOf(line)
        .filter((piece) => piece.colour)
        .map((piece) => `${piece.colour}:${piece.text}`)
        .join(' '),
    );

test('dashboard: code in a diff has the colours of its language, before and after the change', () => {
  const hunk = " const a = 'x'; // it's one\n-/* was\n- * so */\n+return `two\n+lines`;\n let b = 12;";
  expect(colouredParts('x.ts', hunk)).toEqual([
    "keyword:const string:'x' comment:// it's one",
    'comment:/* was',
    'comment: * so */',
    'keyword:return string:`two',
    'string:lines`',
    'keyword:let value:12',
  ]);
  expect(colouredParts('x.py', ' def f():\n+  return "y" # no')).toEqual([
    'keyword:def',
    'keyword:return string:"y" comment:# no',
  ]);
});

test('dashboard: a part that begins in the middle of a comment, or has a stray apostrophe, stays readable', () => {
  expect(colouredParts('x.js', "  * what it's for\n  */\n+return 1;")).toEqual([
    "comment: * what it's for",
    'comment: */',
    'keyword:return value:1',
  ]);
  expect(colouredParts('x.py', " the caller's\n+return 1")[1]).toBe('keyword:return value:1');
});

test('dashboard: code in an unknown language, or too long, is plain, and pieces are always the whole text', () => {
  expect(colouredParts('x.unknown', "+return 'x'")).toEqual(['']);
  expect(colouredParts('README', '+return')).toEqual(['']);
  expect(colouredParts('x.ts', `+return ${'a'.repeat(5000)}`)).toEqual(['']);
  const long = colouredParts('x.ts', Array.from({ length: 3000 }, () => '+return 1\n@@ -1 +1 @@').join('\n'));
  expect([long[0], long.findLast((parts) => parts !== undefined)]).toEqual(['keyword:return value:1', '']);
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^['"`/*${}<>#\\ \tax1]*$/)), (texts) => {
      const hunk = texts.map((text, index) => ' +-'[index % 3] + text).join('\n');
      const lines = diffLines(`diff --git a/x.ts b/x.ts\n@@ -1 +1 @@\n${hunk}`);
      for (const line of lines) {
        const pieces = piecesOf(line);
        expect(pieces.map((piece) => piece.text).join('')).toBe(line.text);
      }
    }),
  );
});
