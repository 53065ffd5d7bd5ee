import { expect, test } from 'vitest';
import { span, textOf } from '../observability/span.ts';
import { openOutput } from './output.ts';
import { fitTo, watchAgain } from './status-watch.ts';

/** Three looks at a number that grows, drawn on a screen that keeps what it is told. */
async function watched(isTTY: boolean, isJson: boolean): Promise<string> {
  let written = '';
  const screen = { isTTY, rows: 4, columns: 12, write: (text: string) => void (written += text) };
  const output = openOutput(isJson, {
    out: screen as unknown as NodeJS.WriteStream,
    error: screen as unknown as NodeJS.WriteStream,
    environment: { NO_COLOR: '1' },
  });
  const end = new AbortController();
  let looks = 0;
  await watchAgain({
    async look() {
      if (++looks === 3) end.abort();
      return { data: { looks }, lines: [[span(`look ${looks}`)]] };
    },
    output,
    screen,
    everyMs: 1,
    signal: end.signal,
  });
  return written;
}

test('status --watch: a terminal is drawn anew, elsewhere it is one block after the other', async () => {
  const clear = '\u001B[H\u001B[J';
  expect(await watched(true, false)).toBe(`${clear}look 1\n${clear}look 2\n${clear}look 3\n`);
  const plain = await watched(false, false);
  expect(plain).not.toContain('\u001B');
  expect(plain).toMatch(/^\d{4}-.*Z\nlook 1\n\n\d{4}-.*Z\nlook 2\n\n\d{4}-.*Z\nlook 3\n\n$/);
});

test('status --watch --json: a line each, and the last is the result', async () => {
  const lines = (await watched(true, true)).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { looks: 1 },
    { looks: 2 },
    { looks: 3 },
    { result: { looks: 3 } },
  ]);
});

test('status --watch: what a screen cannot hold is cut off, and how much is said', () => {
  const lines = Array.from({ length: 6 }, (_, place) => [span(`line ${place} `), span('with more words')]);
  expect(fitTo(lines, { rows: 4, columns: 10 }).map(textOf)).toEqual([
    'line 0 wit',
    'line 1 wit',
    '… 4 more l',
  ]);
  expect(fitTo(lines, { rows: 24, columns: 80 })).toHaveLength(6);
});
