import { expect, test } from 'vitest';
import { span, textOf, type Span } from '../observability/span.ts';
import { emptyView, type TaskView } from '../observability/task-view.ts';
import { noSpend } from '../schemas/work.ts';
import { watchLines } from './watch-lines.ts';

const view: TaskView = {
  ...emptyView,
  taskId: '3f1c',
  state: 'running',
  goal: 'Make the tests pass, all of them',
  work: { runId: 'r', role: 'coder', itemIndex: 0, itemCount: 1, hop: 2, cyclesLeft: 1 },
  limits: { hops: 5, cycles: 2 } as TaskView['limits'] & {},
  spend: { ...noSpend, calls: 3, inputTokens: 100, outputTokens: 20 },
  startedAtMs: 1000,
};
const many = Array.from({ length: 30 }, (_, place): Span[] => [span(`line ${place}`)]);
const drawn = (seen: TaskView, lines: Span[][], rows: number, columns: number) =>
  watchLines(seen, lines, 6000, { rows, columns }).map(textOf);

test('watch: a screen shows how the task stands, and below it the last lines that fit', () => {
  expect(drawn(view, many, 6, 120)).toEqual([
    'Make the tests pass, all of them',
    'running  coder  5.0s  hop 2/5  review cycles left 1/2  3 model calls, 100+20 tokens, $0.0000',
    '… 27 lines above',
    'line 27',
    'line 28',
    'line 29',
  ]);
  expect(drawn(view, many.slice(0, 2), 24, 120).slice(2)).toEqual(['line 0', 'line 1']);
});

test('watch: on a narrow screen how it stands takes more lines, and what is too long is cut', () => {
  expect(drawn(view, [[span('a line that is '), span('too long for it')]], 24, 24)).toEqual([
    'Make the tests pass, all',
    'running  coder  5.0s',
    'hop 2/5',
    'review cycles left 1/2',
    '3 model calls, 100+20 to',
    'a line that is too long ',
  ]);
});

test.each([1, 2, 3, 4])(
  'watch: never more than %i rows, the last line among them if there is room',
  (rows) => {
    const lines = drawn(view, many, rows, 24);
    expect(lines).toHaveLength(rows);
    expect(lines[0]).toMatch(/^Make the tests/);
    if (rows > 2) expect(lines.at(-1)).toBe('line 29');
  },
);

test('watch: a task of which nothing is known yet is named; one that waits says for whom', () => {
  expect(drawn({ ...emptyView, taskId: '3f1c' }, [], 24, 80)).toEqual(['task 3f1c', 'queued  0ms']);
  const waiting = { role: 'reviewer', why: '', mend: '', by: 'manager' as const };
  expect(drawn({ ...view, state: 'waiting', waiting }, [], 24, 80)[1]).toMatch(/^waiting  for the reviewer /);
});
