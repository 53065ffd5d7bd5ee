import { expect, test } from 'vitest';
import { parseCommandLine } from './command-line.ts';

test.each([
  ['npm test', ['npm', 'test']],
  ['  node   --test\t--test-reporter=spec ', ['node', '--test', '--test-reporter=spec']],
  [`node --test "a b.test.js" 'c $d *.js'`, ['node', '--test', 'a b.test.js', 'c $d *.js']],
  [`say "a \\"quoted\\" \\\\ word" ''`, ['say', 'a "quoted" \\ word', '']],
  [`pre'fix and'"suffix"`, ['prefix andsuffix']],
  [
    'cargo test -p issue#12 a~b HEAD~1 50% wow!',
    ['cargo', 'test', '-p', 'issue#12', 'a~b', 'HEAD~1', '50%', 'wow!'],
  ],
  ['go test -run {} x=1', ['go', 'test', '-run', '{}', 'x=1']],
])('command line: %s is split as a person means it', (text, argv) => {
  expect(parseCommandLine(text)).toEqual(argv);
});

test.each([
  'npm test | tee log',
  'npm test & rm x',
  'a; b',
  'a > f',
  'a < f',
  '(a)',
  'echo $HOME',
  'echo `id`',
  'ls *',
  'ls a?',

  'ls [ab]',
  'a\nb',
  'a \\; b',
  '# nothing',
  'ls ~/x',
  '! true',
  'CI=1 npm test',
  'cp {a,b} c',
  'x {1..3}',
  '%1',
  '{ a',
  'say "$HOME"',
  'say "`id`"',
])('command line: %j is refused, because no shell is used', (text) => {
  expect(() => parseCommandLine(text)).toThrow(/no shell is used/);
});

test.each([
  ['', /empty/],
  ['   ', /empty/],
  ["say 'a", /not closed/],
  ['say "a\\"', /not closed/],
  ['a\0b', /NUL/],
  ["'a\0b'", /NUL/],
])('command line: %j is refused with its own reason', (text, reason) => {
  expect(() => parseCommandLine(text)).toThrow(reason);
});
