import type { Span } from '../observability/span.ts';
import { emptyView, type TaskView } from '../observability/task-view.ts';
import { withState } from './output.ts';
import { openPaint } from './paint.ts';
import { watchLines } from './watch-lines.ts';

/** The terminal that a task is drawn on; `process.stderr` fits. */
export interface WatchStream {
  isTTY?: boolean;
  rows?: number;
  columns?: number;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

export interface WatchScreen {
  /** Takes the screen; before, nothing is drawn. */
  begin(): void;
  add(lines: Span[][], view: TaskView): void;
  /** Gives the screen back, and tells all lines that were added. */
  end(): Span[][];
}

// The terminal's other screen, so that what stood there comes back; no cursor, and no line runs into the next.
const takeScreen = '\u001B[?1049h\u001B[?25l\u001B[?7l';
const giveBackScreen = '\u001B[H\u001B[J\u001B[?7h\u001B[?25h\u001B[?1049l';
const home = '\u001B[H';
const clearRest = '\u001B[K';
const clearBelow = '\u001B[J';
/** For the age. */
const tickMs = 1000;
/** Events come in bursts. */
const settleMs = 30;

/** A screen for a task, or undefined where nothing can be drawn in place: there lines are appended. */
export function openWatchScreen(
  stream: WatchStream,
  environment: Record<string, string | undefined>,
  stateDirectory: string | undefined,
): WatchScreen | undefined {
  if (stream.isTTY !== true || environment['TERM'] === 'dumb') return undefined;
  const paint = openPaint(stream, environment);
  const lines: Span[][] = [];
  const named: Span[][] = [];
  let view = emptyView;
  let ticking: NodeJS.Timeout | undefined;
  let settling: NodeJS.Timeout | undefined;

  function draw(): void {
    clearTimeout(settling);
    settling = undefined;
    // A terminal that tells no size says 0. In the last column a line's end would be cleared with the rest.
    const size = { rows: stream.rows || 24, columns: Math.max(1, (stream.columns || 80) - 1) };
    const shown = watchLines(view, named, Date.now(), size);
    const drawn = shown.map((line) => `${paint(line)}${clearRest}`).join('\n');
    // At once: a screen that is cleared first flickers.
    stream.write(`${home}${drawn}${clearBelow}`);
  }

  function giveBack(): void {
    if (ticking === undefined) return;
    clearInterval(ticking);
    clearTimeout(settling);
    ticking = undefined;
    stream.off('resize', draw);
    process.removeListener('SIGTERM', endAtOnce);
    stream.write(giveBackScreen);
  }

  function endAtOnce(): void {
    giveBack();
    process.kill(process.pid, 'SIGTERM');
  }

  return {
    begin() {
      stream.write(takeScreen);
      ticking = setInterval(draw, tickMs);
      stream.on('resize', draw);
      process.once('SIGTERM', endAtOnce);
      draw();
    },
    add(more, now) {
      view = now;
      lines.push(...more);
      // Before they are cut: commands are typed as they are shown.
      for (const line of more)
        named.push(line.map((one) => ({ ...one, text: withState(one.text, stateDirectory) })));
      if (ticking !== undefined) settling ??= setTimeout(draw, settleMs);
    },
    end() {
      giveBack();
      return lines;
    },
  };
}
