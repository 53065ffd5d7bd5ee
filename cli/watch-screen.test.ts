import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { span } from '../observability/span.ts';
import { emptyView } from '../observability/task-view.ts';
import { openWatchScreen } from './watch-screen.ts';

class Terminal extends EventEmitter {
  isTTY = true;
  rows = 4;
  columns = 21;
  written = '';
  write(text: string): void {
    this.written += text;
  }
}

const view = { ...emptyView, taskId: '3f1c', goal: 'Mend it' };

test('watch screen: it is taken, drawn anew when its size changes, and given back with all lines told', () => {
  const terminal = new Terminal();
  const screen = openWatchScreen(terminal, { NO_COLOR: '1' }, '/s')!;
  const lines = [1, 2, 3].map((number) => [span(`${number}. ./switchyard pause 3f1c`)]);
  screen.add(lines, view);
  expect(terminal.written).toBe('');
  screen.begin();
  expect(terminal.written).toContain('\u001B[?25l');
  expect(terminal.written).toContain(
    '\u001B[HMend it\u001B[K\nqueued  0ms\u001B[K\n… 2 lines above\u001B[K\n3. ./switchyard --st\u001B[K\u001B[J',
  );
  terminal.written = '';
  terminal.rows = 24;
  terminal.emit('resize');
  expect(terminal.written).toContain('1. ./switchyard --st');
  terminal.written = '';
  expect(screen.end()).toEqual(lines);
  expect(terminal.written).toMatch(/\u001B\[\?7h\u001B\[\?25h\u001B\[\?1049l$/);
  terminal.written = '';
  terminal.emit('resize');
  screen.end();
  expect(terminal.written).toBe('');
});

test('watch screen: there is none off a terminal, nor on one that can draw nothing in place', () => {
  const terminal = new Terminal();
  expect(openWatchScreen(terminal, { TERM: 'dumb' }, undefined)).toBeUndefined();
  terminal.isTTY = false;
  expect(openWatchScreen(terminal, {}, undefined)).toBeUndefined();
});
