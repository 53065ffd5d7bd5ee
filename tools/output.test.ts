import { expect, test } from 'vitest';
import { collectOutput, cutOpenly, withoutColours } from './output.ts';

test('output: what fits stays as it is', () => {
  expect(cutOpenly('abc', 3)).toBe('abc');
  expect(cutOpenly('', 3)).toBe('');
});

test('output: what does not fit keeps head and tail and says how many bytes were left out', () => {
  expect(cutOpenly('0123456789', 4)).toBe('01\n[... 6 bytes left out ...]\n89');
});

test('output: a cut never leaves half a character', () => {
  for (let bound = 4; bound < 20; bound += 1) {
    expect(cutOpenly('äöüß€😀äöüß€😀', bound), `bound ${bound}`).not.toContain('\ufffd');
  }
});

test('output: five megabytes in small chunks keep the bound, the first and the last line', () => {
  const collector = collectOutput(10_000);
  const total = 50_000;
  for (let line = 0; line < total; line += 1)
    collector.write(Buffer.from(`line ${line} `.padEnd(99, '.') + '\n'));
  const text = collector.text();
  expect(text.length).toBeLessThan(10_100);
  expect(text.startsWith('line 0 ')).toBe(true);
  expect(text).toContain(`line ${total - 1} `);
  expect(collector.leftOutBytes()).toBe(total * 100 - 10_000);
  expect(text).toContain(`[... ${total * 100 - 10_000} bytes left out ...]`);
});

test('output: colours, titles and cursor moves go whole, and nothing else goes', () => {
  const coloured =
    '\u001b[31m\u001b[1mline\u001b[22m\u001b[39m\u001b]0;title\u0007 [31m a[0] \u001b[2K\u001b[1;38;5;9mend';
  expect(withoutColours(coloured)).toBe('line [31m a[0] end');
});
