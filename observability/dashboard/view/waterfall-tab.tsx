import { memo, useCallback, useEffect, useRef, useState } from 'react';
import type { TaskRecord } from '../model/task-record.ts';
import type { TimeScale } from '../model/time-scale.ts';
import type { TrackNode } from '../model/track.ts';
import type { LiveText } from '../model/yard.ts';
import { Detail } from './detail.tsx';
import { useMedia } from './use-clock.tsx';
import { Waterfall } from './waterfall.tsx';

interface TabProps {
  record: TaskRecord;
  cursor: number;
  scale: TimeScale;
  nowMs: number;
  liveTexts: ReadonlyMap<string, LiveText>;
  areFactsShown: boolean;
}

/** The waterfall, and beside it what is selected; on a narrow screen that is a dialog. */
export const WaterfallTab = memo(function WaterfallTab(props: TabProps) {
  const { record, cursor, scale, nowMs, liveTexts, areFactsShown } = props;
  const [chosenId, setChosenId] = useState<string>();
  const isWide = useMedia('(min-width: 64rem)');
  const dialog = useRef<HTMLDialogElement>(null);
  const { track } = record;
  const chosen = chosenId ? track.byId.get(chosenId) : undefined;
  const visible = chosen && chosen.openIndex <= cursor ? chosen : undefined;
  // Who has chosen nothing sees what the playhead is at.
  const node = visible ?? (isWide ? track.byId.get(nodeIdAt(record, cursor)) : undefined);
  const open = useCallback(
    (one: TrackNode) => {
      setChosenId(one.id);
      if (!isWide) dialog.current?.showModal();
    },
    [isWide],
  );
  useEffect(() => {
    if (isWide && dialog.current?.open) dialog.current.close();
  }, [isWide]);
  const detail = node ? (
    <Detail
      key={node.id}
      node={node}
      record={record}
      cursor={cursor}
      nowMs={nowMs}
      liveText={node.callId ? liveTexts.get(node.callId) : undefined}
      areFactsShown={areFactsShown}
    />
  ) : (
    <p className="p-4 text-soft">Choose a step to see what went in and what came out.</p>
  );
  return (
    <div className="grid h-full min-h-80 gap-3 lg:grid-cols-[minmax(0,1fr)_minmax(20rem,27rem)]">
      <Waterfall
        record={record}
        cursor={cursor}
        scale={scale}
        nowMs={nowMs}
        chosenId={node?.id}
        onOpen={open}
        liveTexts={liveTexts}
      />
      {isWide ? (
        <section aria-label="What is selected" tabIndex={0} className="panel min-h-0 overflow-auto">
          {chosenId && visible ? (
            <div className="flex items-center justify-between border-b border-rail px-4 py-1.5 text-soft">
              <span>kept in view</span>
              <button type="button" className="button !min-h-7" onClick={() => setChosenId(undefined)}>
                Follow the playhead
              </button>
            </div>
          ) : null}
          {detail}
        </section>
      ) : null}
      <dialog
        ref={dialog}
        aria-label="What is selected"
        className="panel m-0 mt-auto h-[85vh] max-h-none w-full max-w-none text-ink lg:hidden"
      >
        <div className="sticky top-0 flex justify-end border-b border-rail bg-panel p-2">
          <button type="button" className="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </div>
        {isWide ? null : detail}
      </dialog>
    </div>
  );
});

function nodeIdAt({ track }: TaskRecord, cursor: number): string {
  for (let index = cursor; index >= 0; index -= 1)
    if (track.nodeOfEvent[index]) return track.nodeOfEvent[index]!;
  return '';
}
