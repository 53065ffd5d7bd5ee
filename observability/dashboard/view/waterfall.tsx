import { useCallback, useEffect, useMemo, useState } from 'react';
import { durationText } from '../../wording.ts';
import type { TaskRecord } from '../model/task-record.ts';
import { rowsAt, type TrackNode } from '../model/track.ts';
import type { TimeScale } from '../model/time-scale.ts';
import type { LiveText } from '../model/yard.ts';
import { useMedia } from './use-clock.tsx';
import { useRows } from './use-rows.tsx';
import { WaterfallRow, waterfallColumns } from './waterfall-row.tsx';

interface WaterfallProps {
  record: TaskRecord;
  cursor: number;
  scale: TimeScale;
  nowMs: number;
  chosenId: string | undefined;
  onOpen(node: TrackNode): void;
  liveTexts: ReadonlyMap<string, LiveText>;
}

/** Runs and their steps as bars over time: a tree and a grid, for the keyboard and for a screen reader. */
export function Waterfall({ record, cursor, scale, nowMs, chosenId, onOpen, liveTexts }: WaterfallProps) {
  const { track } = record;
  const [closedRuns, setClosedRuns] = useState<ReadonlySet<string>>(new Set());
  const isWide = useMedia('(min-width: 48rem)');
  const rowHeight = isWide ? 30 : 56;
  const rowsShown = useMemo(() => rowsAt(track, cursor, closedRuns), [track, cursor, closedRuns]);

  const toggle = useCallback((node: TrackNode, isClosed: boolean) => {
    setClosedRuns((known) => {
      const next = new Set(known);
      if (isClosed) next.add(node.id);
      else next.delete(node.id);
      return next;
    });
  }, []);
  const rows = useRows({
    count: rowsShown.length,
    rowHeight,
    onEnter: (index) => rowsShown[index] && onOpen(rowsShown[index]),
    onKey(key, index) {
      const node = rowsShown[index];
      if (!node || (key !== 'ArrowLeft' && key !== 'ArrowRight')) return false;
      const isRun = node.kind === 'run';
      const isClosed = closedRuns.has(node.id);
      if (key === 'ArrowRight' && isRun && isClosed) toggle(node, false);
      else if (key === 'ArrowRight' && isRun) rows.setActive(index + 1);
      else if (key === 'ArrowLeft' && isRun && !isClosed) toggle(node, true);
      else if (key === 'ArrowLeft' && node.parent)
        rows.setActive(rowsShown.findIndex((one) => one.id === node.parent));
      return true;
    },
  });

  const { setActive } = rows;
  const openRow = useCallback(
    (node: TrackNode, index: number) => {
      setActive(index);
      onOpen(node);
    },
    [setActive, onOpen],
  );

  // What the playhead is at stays in sight, unless somebody reads elsewhere.
  const { virtualizer, scroller } = rows;
  const wantedId = track.nodeOfEvent[cursor];
  useEffect(() => {
    if (scroller.current && scroller.current === document.activeElement) return;
    // The playhead is at one of the last rows, of thousands.
    const place = rowsShown.findLastIndex((one) => one.id === wantedId);
    if (place < 0 || !scroller.current) return;
    // By what is known of the rows: asking the browser for their places would lay the page out anew at each step.
    const [top, from] = [place * rowHeight, virtualizer.scrollOffset ?? 0];
    const seen = virtualizer.scrollRect?.height ?? 0;
    if (top < from) scroller.current.scrollTop = top;
    else if (top + rowHeight > from + seen) scroller.current.scrollTop = top + rowHeight - seen;
  }, [wantedId, rowsShown, rowHeight, virtualizer, scroller]);

  const folds = scale.folds.length;
  return (
    <div className="panel flex min-h-80 flex-col overflow-hidden">
      <div
        className={`label grid items-center border-b border-rail px-2 py-1.5 ${waterfallColumns} max-md:hidden`}
        aria-hidden="true"
      >
        <span className="pl-7">Step</span>
        <span className="text-right">Took</span>
        <span className="flex justify-between pl-3">
          <span>0s</span>
          <span>{folds > 0 ? `${folds} long ${folds === 1 ? 'silence' : 'silences'} folded` : ''}</span>
          <span>{durationText(scale.toMs - scale.fromMs)}</span>
        </span>
      </div>
      <div
        ref={rows.scroller}
        role="treegrid"
        aria-label="Runs and steps"
        aria-rowcount={rowsShown.length}
        aria-activedescendant={rowsShown.length > 0 ? `step-${rows.active}` : undefined}
        tabIndex={0}
        className="min-h-0 flex-1 basis-64 overflow-auto contain-strict"
        onKeyDown={rows.onKeyDown}
      >
        <div role="presentation" className="relative" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map(({ index, start }) => {
            const node = rowsShown[index];
            const isSettled = node ? node.settledIndex <= cursor : false;
            return node ? (
              <div
                key={node.id}
                role="presentation"
                className="absolute inset-x-0"
                style={{ transform: `translateY(${start}px)`, height: rowHeight }}
              >
                <WaterfallRow
                  node={node}
                  index={index}
                  record={record}
                  // A row on which nothing happens any more is not drawn again as the playhead moves on.
                  cursor={isSettled ? node.settledIndex : cursor}
                  nowMs={isSettled ? 0 : nowMs}
                  scale={scale}
                  isActive={index === rows.active}
                  isChosen={node.id === chosenId}
                  isClosed={closedRuns.has(node.id)}
                  isWide={isWide}
                  liveText={node.callId ? liveTexts.get(node.callId)?.text : undefined}
                  onToggle={toggle}
                  onOpen={openRow}
                />
              </div>
            ) : null;
          })}
        </div>
      </div>
    </div>
  );
}
