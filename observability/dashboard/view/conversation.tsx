import { useMemo, useState } from 'react';
import { conversationOf, type Said } from '../model/conversation.ts';
import type { TaskRecord } from '../model/task-record.ts';
import { Json } from './parts.tsx';
import { Empty } from './empty.tsx';
import { clockText } from './numbers.ts';
import { useRows } from './use-rows.tsx';

interface ConversationProps {
  record: TaskRecord;
  cursor: number;
  seek(cursor: number): void;
}

const rowHeight = 62;

/** Who said what to whom. */
export function Conversation({ record, cursor, seek }: ConversationProps) {
  const [hasCalls, setHasCalls] = useState(false);
  const [chosen, setChosen] = useState<Said>();
  const all = useMemo(() => conversationOf(record.events), [record]);
  const shown = useMemo(
    () => all.filter((one) => one.index <= cursor && (hasCalls || !one.type.startsWith('call.'))),
    [all, cursor, hasCalls],
  );
  const maxCycles = record.views[cursor]?.limits?.cycles ?? 0;
  const rows = useRows({ count: shown.length, rowHeight, onEnter: (index) => setChosen(shown[index]) });
  return (
    <div className="grid h-full min-h-96 gap-3 lg:grid-cols-[minmax(0,1fr)_minmax(22rem,30rem)]">
      <div className="panel flex min-h-80 flex-col">
        <label className="flex items-center gap-2 border-b border-rail px-3 py-2">
          <input type="checkbox" checked={hasCalls} onChange={(event) => setHasCalls(event.target.checked)} />
          also questions to models and their answers
        </label>
        {shown.length === 0 ? (
          <Empty title="Nobody has spoken yet">
            Messages between agents appear here in the order in which they were sent.
          </Empty>
        ) : (
          <div
            ref={rows.scroller}
            role="grid"
            aria-label="Messages between agents"
            aria-rowcount={shown.length}
            aria-activedescendant={`said-${rows.active}`}
            tabIndex={0}
            className="min-h-0 flex-1 basis-64 overflow-auto contain-strict"
            onKeyDown={rows.onKeyDown}
          >
            <div role="presentation" className="relative" style={{ height: rows.virtualizer.getTotalSize() }}>
              {rows.virtualizer.getVirtualItems().map(({ index, start }) => {
                const one = shown[index];
                return one ? (
                  <div
                    key={one.id}
                    role="row"
                    id={`said-${index}`}
                    aria-rowindex={index + 1}
                    aria-selected={one.id === chosen?.id}
                    className={`absolute inset-x-0 grid grid-cols-[minmax(0,1fr)_auto] content-center gap-x-3 border-b border-rail/50 px-3 hover:bg-raised ${index === rows.active ? 'shadow-[inset_3px_0_0_var(--lamp)]' : ''} ${one.id === chosen?.id ? 'bg-raised' : ''}`}
                    style={{ transform: `translateY(${start}px)`, height: rowHeight }}
                    onClick={() => {
                      rows.setActive(index);
                      setChosen(one);
                    }}
                  >
                    <span role="gridcell" className="truncate max-sm:col-span-2">
                      <strong>{one.sender}</strong> <span className="text-soft">to</span>{' '}
                      <strong>{one.recipient}</strong> <span className="mono text-soft">{one.type}</span>
                    </span>
                    <span role="gridcell" className="whitespace-nowrap text-soft max-sm:hidden">
                      hop {one.hop}, cycles left {one.cyclesLeft}/{maxCycles}
                    </span>
                    <span role="gridcell" className="col-span-2 truncate" title={one.text}>
                      {one.text}
                    </span>
                  </div>
                ) : null;
              })}
            </div>
          </div>
        )}
      </div>
      <section aria-label="The message" className="panel min-h-0 overflow-auto p-4" tabIndex={0}>
        {chosen && chosen.index <= cursor ? (
          <>
            <h2 className="m-0 text-base font-semibold">
              {chosen.sender} to {chosen.recipient}
            </h2>
            <p className="m-0 mt-1 text-soft">
              <span className="mono">{chosen.type}</span> at {clockText(chosen.atMs)}, hop {chosen.hop},
              review cycles left {chosen.cyclesLeft}/{maxCycles}
            </p>
            <p className="whitespace-pre-wrap break-words">{chosen.text}</p>
            <button type="button" className="button" onClick={() => seek(chosen.index)}>
              Go to this moment
            </button>
            <h3 className="label mb-0 mt-4">Payload</h3>
            <Json value={chosen.payload} />
          </>
        ) : (
          <p className="m-0 text-soft">Choose a message to read it whole, with its payload.</p>
        )}
      </section>
    </div>
  );
}
