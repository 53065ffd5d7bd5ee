import { memo, useEffect } from 'react';
import type { TaskSummary } from '../../../schemas/query.ts';
import { lineOf } from '../../timeline.ts';
import { hashOf } from '../model/place.ts';
import { noRecord, type TaskRecord } from '../model/task-record.ts';
import type { Source } from '../source/source.ts';
import { Facts } from './facts.tsx';
import { StateChip } from './state-sign.tsx';
import { TakeOverLine } from './take-over-line.tsx';
import { Legend, Tracks } from './tracks.tsx';
import { useNow } from './use-clock.tsx';
import type { Player } from './use-playhead.tsx';
import { Words } from './words.tsx';

interface LatestProps {
  task: TaskSummary;
  record: TaskRecord | undefined;
  player: Player | undefined;
  source: Source;
}

/** The task that runs, or ran last, as a switchyard: what is going on, at a glance. */
export function LatestTask({ task, record, player, source }: LatestProps) {
  const { taskId } = task;
  useEffect(() => source.openTask(taskId), [source, taskId]);
  const known = record ?? noRecord(taskId);
  const cursor = player ? player.cursor : known.events.length - 1;
  const nowMs = useNow(!player && task.endedAtMs === undefined);
  return (
    <section aria-label="The latest task" className="panel px-4 py-4 sm:px-6">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <StateChip state={task.state} />
        <h2
          className="m-0 line-clamp-3 min-w-0 flex-1 break-words text-xl font-semibold tracking-tight max-sm:order-last max-sm:basis-full"
          title={task.goal}
        >
          <a
            href={hashOf({ view: 'task', taskId, tab: 'waterfall' })}
            className="text-ink no-underline hover:underline"
          >
            {task.goal}
          </a>
        </h2>
        {player ? (
          <button type="button" className="button ml-auto" onClick={player.togglePlay}>
            {player.isPlaying ? 'Stop' : 'Play'}
          </button>
        ) : null}
      </div>
      <NowLine record={known} cursor={cursor} />
      <TakeOverLine record={known} cursor={cursor} />
      <div className="my-3">
        <Tracks track={known.track} view={known.views[cursor]} cursor={cursor} />
      </div>
      <Legend />
      <div className="mt-4" />
      <Facts task={task} nowMs={player ? (known.events[cursor]?.atMs ?? 0) : nowMs} />
    </section>
  );
}

/** The last thing that happened, in a sentence. */
export const NowLine = memo(function NowLine({ record, cursor }: { record: TaskRecord; cursor: number }) {
  for (let index = cursor; index >= 0; index -= 1) {
    const event = record.events[index];
    const view = record.views[index];
    if (!event || !view) continue;
    const line = lineOf(event, view);
    if (line.isDetail) continue;
    const [, , , ...said] = line.spans;
    return (
      <p className="m-0 mt-1 min-h-6 truncate" data-testid="now">
        <span className="text-soft">{event.event.sender} </span>
        <Words spans={said} />
      </p>
    );
  }
  return <p className="m-0 mt-1 min-h-6 text-soft">waiting for its first event</p>;
});
