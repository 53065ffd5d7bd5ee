import { memo, useEffect, useState } from 'react';
import type { TaskSummary } from '../../../schemas/query.ts';
import { ageMs } from '../../query.ts';
import { durationText } from '../../wording.ts';
import type { Place } from '../model/place.ts';
import { cyclesLeftText } from './facts.tsx';
import { dollars, shortCount } from './numbers.ts';
import { StateWords } from './state-sign.tsx';
import { ScriptedChip } from './sign.tsx';
import type { LeftList } from './tasks.tsx';
import { useMedia, useNow } from './use-clock.tsx';
import { useRows } from './use-rows.tsx';

const columns = 'md:grid-cols-[7rem_minmax(0,1fr)_6rem_4rem_7rem_9rem_6rem_5rem]';
const headings = ['State', 'Goal', 'Role', 'Hop', 'Cycles left', 'Cost of budget', 'Tokens', 'Duration'];

interface ListProps {
  tasks: readonly TaskSummary[];
  list: LeftList;
  go(place: Place): void;
  isDemo: boolean;
}

export function TaskList({ tasks, list, go, isDemo }: ListProps) {
  const isWide = useMedia('(min-width: 48rem)');
  const rowHeight = isWide ? 36 : 76;
  const open = (index: number) => {
    const task = tasks[index];
    if (!task) return;
    rows.setActive(index);
    go({ view: 'task', taskId: task.taskId, tab: 'waterfall' });
  };
  const [start] = useState(() => tasks.findIndex((one) => one.taskId === list.taskId));
  const rows = useRows({ count: tasks.length, rowHeight, start: Math.max(0, start), onEnter: open });
  const activeId = tasks[rows.active]?.taskId;
  useEffect(() => {
    list.taskId = activeId;
  }, [list, activeId]);
  const hasOpen = tasks.some((one) => one.endedAtMs === undefined);
  const nowMs = useNow(hasOpen && !isDemo, 1000);
  return (
    <div
      ref={rows.scroller}
      role="grid"
      aria-label="Tasks"
      aria-rowcount={tasks.length + 1}
      aria-activedescendant={`task-row-${rows.active}`}
      tabIndex={0}
      className="min-h-48 flex-1 basis-72 overflow-auto contain-strict"
      onKeyDown={rows.onKeyDown}
    >
      <div
        role="row"
        aria-rowindex={1}
        className={`label sticky top-0 z-10 grid gap-x-3 border-b border-rail bg-panel px-3 py-1.5 ${columns} max-md:sr-only`}
      >
        {headings.map((heading) => (
          <span role="columnheader" key={heading}>
            {heading}
          </span>
        ))}
      </div>
      <div role="presentation" className="relative" style={{ height: rows.virtualizer.getTotalSize() }}>
        {rows.virtualizer.getVirtualItems().map(({ index, start }) => {
          const task = tasks[index];
          return task ? (
            <div
              key={task.taskId}
              role="presentation"
              className="absolute inset-x-0"
              style={{ transform: `translateY(${start}px)`, height: rowHeight }}
            >
              <TaskRow
                task={task}
                index={index}
                isActive={index === rows.active}
                nowMs={task.endedAtMs === undefined ? (isDemo ? task.updatedAtMs : nowMs) : task.endedAtMs}
                onOpen={open}
              />
            </div>
          ) : null;
        })}
      </div>
    </div>
  );
}

interface RowProps {
  task: TaskSummary;
  index: number;
  isActive: boolean;
  nowMs: number;
  onOpen(index: number): void;
}

const TaskRow = memo(function TaskRow({ task, index, isActive, nowMs, onOpen }: RowProps) {
  const cell = 'truncate';
  return (
    <div
      role="row"
      id={`task-row-${index}`}
      aria-rowindex={index + 2}
      aria-selected={isActive}
      className={`grid h-full grid-cols-[minmax(0,1fr)_auto] items-center gap-x-3 border-b border-rail/50 px-3 hover:bg-raised ${isActive ? 'bg-raised shadow-[inset_3px_0_0_var(--lamp)]' : ''} ${columns}`}
      onClick={() => onOpen(index)}
    >
      <span role="gridcell" className="max-md:col-start-2 max-md:row-start-1">
        <StateWords state={task.state} />
      </span>
      <span
        role="gridcell"
        className="flex min-w-0 items-center gap-1.5 font-medium max-md:col-start-1 max-md:row-start-1"
        title={task.goal}
      >
        <span className="truncate">{task.goal}</span> {task.isScripted ? <ScriptedChip /> : null}
      </span>
      <span role="gridcell" className={`${cell} max-md:hidden`}>
        {task.roleAtWork ?? '—'}
      </span>
      <span role="gridcell" className="max-md:hidden">
        {task.hop}
        <span className="text-soft">/{task.maxHops}</span>
      </span>
      <span role="gridcell" className="max-md:hidden">
        {cyclesLeftText(task)}
      </span>
      <span role="gridcell" className={`${cell} max-md:hidden`}>
        {dollars(task.costMicroDollars)}
        <span className="text-soft"> of {dollars(task.budgetMicroDollars)}</span>
      </span>
      <span role="gridcell" className={`${cell} max-md:hidden`}>
        {shortCount(task.inputTokens + task.outputTokens)}
      </span>
      <span role="gridcell" className="text-soft max-md:hidden">
        {durationText(ageMs(task, nowMs))}
      </span>
      <span role="gridcell" className="col-span-2 line-clamp-2 leading-5 text-soft md:hidden">
        {task.roleAtWork ?? 'no role'}, hop {task.hop}/{task.maxHops}, cycles left {cyclesLeftText(task)},{' '}
        {dollars(task.costMicroDollars)}, {shortCount(task.inputTokens + task.outputTokens)} tokens,{' '}
        {durationText(ageMs(task, nowMs))}
      </span>
    </div>
  );
});
