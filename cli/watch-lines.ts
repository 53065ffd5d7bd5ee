import { span, textOf, type Span } from '../observability/span.ts';
import { cyclesText } from '../observability/task-line.ts';
import { elapsedMs, type TaskView } from '../observability/task-view.ts';
import { durationText, spendText } from '../observability/wording.ts';
import { cutTo } from './status-watch.ts';

export interface Size {
  rows: number;
  columns: number;
}

const gap = '  ';

/** A task as one screen shows it: how it stands, and below that the last of its lines that fit. */
export function watchLines(
  view: TaskView,
  lines: readonly Span[][],
  nowMs: number,
  { rows, columns }: Size,
): Span[][] {
  const title = [span(view.goal || `task ${view.taskId}`, 'accent')];
  const all = [title, ...packed(factsOf(view, nowMs), columns)];
  const head = all.slice(0, Math.max(1, rows - 2));
  const most = Math.max(0, rows - head.length);
  return [...head, ...lastOf(lines, most)].map((line) => cutTo(line, columns));
}

/** How a task stands, the most important first. */
function factsOf(view: TaskView, nowMs: number): Span[] {
  const { state, work, limits, waiting, spend } = view;
  const role = waiting?.role ?? work?.role;
  return [
    span(state, state === 'running' ? 'good' : 'warn'),
    ...(role ? [span(waiting ? `for the ${role}` : role, 'accent')] : []),
    span(durationText(elapsedMs(view, nowMs))),
    ...(work
      ? [span(`hop ${work.hop}${limits ? `/${limits.hops}` : ''}`), span(cyclesText(work, view))]
      : []),
    ...(spend.calls > 0 ? [span(spendText(spend))] : []),
    ...(view.isScripted ? [span('scripted replies', 'warn')] : []),
  ];
}

/** On as many lines as the width asks for. */
function packed(facts: Span[], columns: number): Span[][] {
  const lines: Span[][] = [];
  for (const fact of facts) {
    const line = lines.at(-1);
    if (line && textOf(line).length + gap.length + fact.text.length <= columns) line.push(span(gap), fact);
    else lines.push([fact]);
  }
  return lines;
}

function lastOf(lines: readonly Span[][], most: number): readonly Span[][] {
  if (lines.length <= most) return lines;
  const shown = Math.max(0, most - 1);
  const above = [span(`… ${lines.length - shown} lines above`, 'dim')];
  return [above, ...lines.slice(lines.length - shown)].slice(0, most);
}
