import { useEffect } from 'react';
import { shortType } from '../../../schemas/envelope.ts';
import { lineOf } from '../../timeline.ts';
import type { TaskRecord } from '../model/task-record.ts';
import { useRows } from './use-rows.tsx';
import { Words } from './words.tsx';
import { clockText } from './numbers.ts';

interface LogProps {
  record: TaskRecord;
  cursor: number;
  seek(cursor: number): void;
}

/** The record itself, one event a row; choosing one goes there. */
export function EventLog({ record, cursor, seek }: LogProps) {
  const rows = useRows({ count: cursor + 1, rowHeight: 28, start: cursor, onEnter: seek });
  const { setActive } = rows;
  useEffect(() => setActive(cursor), [cursor, setActive]);
  return (
    <div
      ref={rows.scroller}
      role="grid"
      aria-label="All events"
      aria-rowcount={cursor + 1}
      aria-activedescendant={`event-${rows.active}`}
      tabIndex={0}
      className="panel h-full min-h-96 overflow-auto contain-strict"
      onKeyDown={rows.onKeyDown}
    >
      <div role="presentation" className="relative" style={{ height: rows.virtualizer.getTotalSize() }}>
        {rows.virtualizer.getVirtualItems().map(({ index, start }) => {
          const one = record.events[index];
          if (!one) return null;
          return (
            <div
              key={index}
              role="row"
              id={`event-${index}`}
              aria-rowindex={index + 1}
              className={`mono absolute inset-x-0 flex h-7 items-center gap-3 whitespace-nowrap px-3 hover:bg-raised ${index === rows.active ? 'shadow-[inset_3px_0_0_var(--lamp)]' : ''}`}
              style={{ transform: `translateY(${start}px)` }}
              onClick={() => seek(index)}
            >
              <span role="gridcell" className="w-12 shrink-0 text-right text-soft">
                {one.sequence}
              </span>
              <span role="gridcell" className="shrink-0 text-soft">
                {clockText(one.atMs)}
              </span>
              <span role="gridcell" className="w-44 shrink-0 truncate">
                {shortType(one.event.type)}
              </span>
              <span role="gridcell" className="min-w-0 truncate">
                <Words spans={lineOf(one, record.views[index]!).spans.slice(3)} />
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
