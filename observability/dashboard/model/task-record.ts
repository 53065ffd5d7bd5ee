import type { TaskSummary } from '../../../schemas/query.ts';
import { summaryOf } from '../../query.ts';
import { advanceView, emptyView, type RecordedEvent, type TaskView } from '../../task-view.ts';
import { emptyTrack, type Track } from './track.ts';
import { waterfallOf } from './waterfall.ts';

/** A task with all its events: what it looked like after each of them, and its waterfall. */
export interface TaskRecord {
  taskId: string;
  events: readonly RecordedEvent[];
  /** The view after each event. */
  views: readonly TaskView[];
  track: Track;
}

export const noRecord = (taskId: string): TaskRecord => ({
  taskId,
  events: [],
  views: [],
  track: emptyTrack,
});

/** The record with what is new of some events of the task; the same record where nothing is. */
export function extend(record: TaskRecord, events: readonly RecordedEvent[]): TaskRecord {
  let last = record.events.at(-1)?.sequence ?? 0;
  const fresh: RecordedEvent[] = [];
  for (const one of events) {
    if (one.sequence <= last) continue;
    last = one.sequence;
    fresh.push(one);
  }
  if (fresh.length === 0) return record;
  const all = [...record.events, ...fresh];
  const views = [...record.views];
  let view = views.at(-1) ?? emptyView;
  for (const one of fresh) {
    view = advanceView(view, one);
    views.push(view);
  }
  return { taskId: record.taskId, events: all, views, track: waterfallOf(record.track, fresh) };
}

/** The row of the list as it was after the event at `cursor`. */
export function summaryAt(record: TaskRecord, cursor: number): TaskSummary | undefined {
  const view = record.views[Math.min(cursor, record.views.length - 1)];
  const first = record.events[0];
  return view && first ? summaryOf(view, first.sequence) : undefined;
}

/** The task that an event is of, or undefined for what concerns the mesh. */
export function taskIdOf(recorded: RecordedEvent): string | undefined {
  const [, taskId] = recorded.journal.split('.event.');
  const id = taskId?.split('.')[0];
  return id === undefined || id === 'mesh' ? undefined : id;
}
