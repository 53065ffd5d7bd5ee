import { useDeferredValue, useEffect, useMemo, useState } from 'react';
import type { TaskSummary } from '../../../schemas/query.ts';
import { filterTasks, choicesOf, noFilter, type TaskFilter } from '../model/task-filter.ts';
import type { Place } from '../model/place.ts';
import type { TaskRecord } from '../model/task-record.ts';
import { newestFirst, type Yard } from '../model/yard.ts';
import type { Source } from '../source/source.ts';
import { Empty } from './empty.tsx';
import { LatestTask } from './latest-task.tsx';
import { TaskFilters } from './task-filters.tsx';
import { TaskList } from './task-list.tsx';
import type { Player } from './use-playhead.tsx';

/** What the list was like when it was left: it is so again for who comes back. */
export interface LeftList {
  filter: TaskFilter;
  /** The task that the keyboard was on. */
  taskId?: string | undefined;
  /** How far the view was scrolled, in pixels. */
  top: number;
}

interface TasksProps {
  yard: Yard;
  tasks: ReadonlyMap<string, TaskSummary>;
  record: TaskRecord;
  list: LeftList;
  player: Player;
  go(place: Place): void;
  source: Source;
  isDemo: boolean;
}

export function TasksPage({ yard, tasks, record, list, player, go, source, isDemo }: TasksProps) {
  const [filter, setFilter] = useState(list.filter);
  useEffect(() => {
    list.filter = filter;
  }, [list, filter]);
  const wanted = useDeferredValue(filter);
  const all = useMemo(() => newestFirst(tasks.values()), [tasks]);
  const shown = useMemo(() => filterTasks(all, wanted), [all, wanted]);
  const choices = useMemo(() => choicesOf(all), [all]);
  if (all.length === 0) return <NoTasks isListed={yard.isListed} isRefused={yard.link.phase === 'refused'} />;
  const latest = isDemo
    ? tasks.get(record.taskId)
    : (all.find((one) => one.endedAtMs === undefined) ?? all[0]);
  return (
    <div className="flex min-h-full flex-col gap-4 px-3 py-4 sm:px-5">
      <h1 className="sr-only" tabIndex={-1}>
        Tasks
      </h1>
      {latest ? (
        <LatestTask
          task={latest}
          record={isDemo ? record : yard.records.get(latest.taskId)}
          player={isDemo ? player : undefined}
          source={source}
        />
      ) : null}
      <section aria-label="All tasks" className="panel flex min-h-80 flex-1 flex-col">
        <TaskFilters
          filter={filter}
          setFilter={setFilter}
          choices={choices}
          shown={shown.length}
          all={all.length}
        />
        {shown.length === 0 ? (
          <Empty title="No task fits these filters">
            <button type="button" className="button" onClick={() => setFilter(noFilter)}>
              Show all {all.length} tasks
            </button>
          </Empty>
        ) : (
          <TaskList tasks={shown} list={list} go={go} isDemo={isDemo} />
        )}
      </section>
    </div>
  );
}

function NoTasks({ isListed, isRefused }: { isListed: boolean; isRefused: boolean }) {
  if (isRefused)
    return <Empty title="Nothing to show without a link">The line above says how to get one.</Empty>;
  if (!isListed) return <Empty title="Asking the mesh for its tasks">This takes a moment.</Empty>;
  return (
    <Empty title="No task has been submitted yet">
      <p className="m-0">Give the mesh one, and it appears here at once:</p>
      <pre className="panel mono mt-3 overflow-x-auto p-3 text-left text-ink" tabIndex={0}>
        ./switchyard fix ../my-app --test "npm test"
      </pre>
      <p className="mt-3">
        Or{' '}
        <a className="tone-accent underline" href="?demo">
          look at a recorded run
        </a>{' '}
        first.
      </p>
    </Empty>
  );
}
