import { setTimeout as sleep } from 'node:timers/promises';
import { span, type Span } from '../observability/span.ts';
import type { Output } from './output.ts';

/** Where it is drawn; `process.stdout` fits. */
export interface Screen {
  isTTY?: boolean;
  rows?: number;
  columns?: number;
  write(text: string): unknown;
}

export interface Watching {
  look(): Promise<{ data: unknown; lines: Span[][] }>;
  output: Output;
  screen: Screen;
  everyMs: number;
  signal: AbortSignal;
}

const clearScreen = '\u001B[H\u001B[J';

/**
 * Shows what `look` sees again and again until the signal: in place on a terminal, one block after the other elsewhere,
 * and with `--json` one line each, the last as `{"result": ...}`.
 */
export async function watchAgain({ look, output, screen, everyMs, signal }: Watching): Promise<void> {
  const isDrawn = screen.isTTY === true && !output.isJson;
  let seen = await look();
  for (;;) {
    if (isDrawn) screen.write(clearScreen);
    output.entry(
      seen.data,
      isDrawn ? fitTo(seen.lines, screen) : [[span(new Date().toISOString(), 'dim')], ...seen.lines, []],
    );
    await sleep(everyMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    seen = await look();
  }
  if (output.isJson) output.lastResult(seen.data, '');
}

/** As much of the lines as a screen holds: a line that wrapped would move the rest away. */
export function fitTo(
  lines: Span[][],
  { rows = 24, columns = 80 }: Pick<Screen, 'rows' | 'columns'>,
): Span[][] {
  const most = Math.max(2, rows - 1);
  const shown =
    lines.length <= most
      ? lines
      : [...lines.slice(0, most - 1), [span(`… ${lines.length - most + 1} more lines`, 'dim')]];
  return shown.map((line) => cutTo(line, columns));
}

export function cutTo(line: Span[], columns: number): Span[] {
  let left = columns;
  return line.flatMap((one) => {
    const text = one.text.slice(0, Math.max(0, left));
    left -= one.text.length;
    return text === '' ? [] : [{ ...one, text }];
  });
}
