import { useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { taskTabs, type Place, type TaskTab } from '../model/place.ts';
import { summaryAt, type TaskRecord } from '../model/task-record.ts';
import { scaleEndMs, timeScale } from '../model/time-scale.ts';
import type { Yard } from '../model/yard.ts';
import { Change } from './change.tsx';
import { Conversation } from './conversation.tsx';
import { Empty } from './empty.tsx';
import { EventLog } from './event-log.tsx';
import { Facts } from './facts.tsx';
import { NowLine } from './latest-task.tsx';
import { RouterPanel } from './router.tsx';
import { Scrubber } from './scrubber.tsx';
import { StateChip } from './state-sign.tsx';
import { TakeOverLine } from './take-over-line.tsx';
import { Tracks } from './tracks.tsx';
import { useNow } from './use-clock.tsx';
import type { Player } from './use-playhead.tsx';
import type { Flag } from './use-preferences.tsx';
import { WaterfallTab } from './waterfall-tab.tsx';

interface TaskProps {
  yard: Yard;
  record: TaskRecord;
  taskId: string;
  tab: TaskTab;
  go(place: Place): void;
  player: Player;
  flags: Partial<Record<Flag, boolean>>;
}

const tabWords: Record<TaskTab, string> = {
  waterfall: 'Steps',
  conversation: 'Conversation',
  router: 'Router',
  change: 'Change',
};

export function TaskPage({ yard, record, taskId, tab, go, player, flags }: TaskProps) {
  const { count } = player;
  // The scrubber follows the hand at once; all that it shows follows when there is time to draw it.
  const cursor = useDeferredValue(player.cursor);
  const [isLogShown, setLogShown] = useState(false);
  const known = yard.tasks.get(taskId);
  const summary = useMemo(() => summaryAt(record, cursor) ?? known, [record, cursor, known]);
  const isRunning = known !== undefined && known.endedAtMs === undefined && yard.link.phase === 'live';
  const isNow = player.isFollowing && isRunning;
  const now = useNow(isNow, 200);
  const nowMs = isNow ? now : (record.events[cursor]?.atMs ?? 0);
  const times = useMemo(() => record.events.map((one) => one.atMs), [record.events]);
  const endMs = isNow ? scaleEndMs(times[0] ?? now, now) : 0;
  const scale = useMemo(() => timeScale(times, endMs), [times, endMs]);
  const keys = useRef<HTMLDivElement>(null);
  const { toTrouble } = player;

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT|TEXTAREA/.test(target.tagName))
        return;
      if (event.key !== 'f' && event.key !== 'F') return;
      event.preventDefault();
      toTrouble(event.key === 'F');
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [toTrouble]);

  if (!summary)
    return (
      <Empty title={yard.isListed ? 'This mesh has no such task' : 'Asking for the task'}>
        {yard.isListed ? (
          <a className="tone-accent underline" href="#/tasks">
            All tasks
          </a>
        ) : (
          'This takes a moment.'
        )}
      </Empty>
    );
  const show = (next: TaskTab) => {
    setLogShown(false);
    go({ view: 'task', taskId, tab: next });
  };
  return (
    <div ref={keys} className="flex min-h-full flex-col gap-3 px-3 py-3 sm:px-5 lg:h-full">
      <div className="panel px-4 py-3">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <StateChip state={summary.state} />
          <h1
            tabIndex={-1}
            className="m-0 line-clamp-3 min-w-0 flex-1 break-words text-lg font-semibold tracking-tight max-sm:order-last max-sm:basis-full"
            title={summary.goal}
          >
            {summary.goal}
          </h1>
          <code className="ml-auto text-soft" title={taskId}>
            {taskId.slice(0, 8)}
          </code>
        </div>
        <NowLine record={record} cursor={cursor} />
        <TakeOverLine record={record} cursor={cursor} />
        <div className="mt-3 flex flex-col gap-x-8 gap-y-2 xl:flex-row xl:items-center">
          <div className="min-w-0 flex-1">
            <Tracks track={record.track} view={record.views[cursor]} cursor={cursor} isCompact />
          </div>
          <div className="xl:max-w-[37rem]">
            <Facts task={summary} nowMs={nowMs} />
          </div>
        </div>
        <Stopped view={record.views[cursor]} />
      </div>
      {count > 0 ? <Scrubber record={record} player={player} scale={scale} isRunning={isRunning} /> : null}
      <div
        role="tablist"
        aria-label="Views of the task"
        className="flex flex-wrap gap-1 border-b border-rail"
        onKeyDown={onTabKey}
      >
        {taskTabs.map((one) => (
          <Tab key={one} isOn={!isLogShown && one === tab} onOpen={() => show(one)} controls="task-panel">
            {tabWords[one]}
          </Tab>
        ))}
        {flags.events ? (
          <Tab isOn={isLogShown} onOpen={() => setLogShown(true)} controls="task-panel">
            All events
          </Tab>
        ) : null}
      </div>
      <div
        id="task-panel"
        role="tabpanel"
        aria-label={isLogShown ? 'All events' : tabWords[tab]}
        className="min-h-0 flex-1"
      >
        {count === 0 ? (
          <Empty title="Asking for its events">This takes a moment.</Empty>
        ) : isLogShown ? (
          <EventLog record={record} cursor={cursor} seek={player.seek} />
        ) : tab === 'conversation' ? (
          <Conversation record={record} cursor={cursor} seek={player.seek} />
        ) : tab === 'router' ? (
          <RouterPanel record={record} cursor={cursor} areFactsShown={flags.facts ?? false} />
        ) : tab === 'change' ? (
          <Change record={record} cursor={cursor} />
        ) : (
          <WaterfallTab
            record={record}
            cursor={cursor}
            scale={scale}
            nowMs={nowMs}
            liveTexts={yard.liveTexts}
            areFactsShown={flags.facts ?? false}
          />
        )}
      </div>
    </div>
  );
}

/** Why nothing goes on, and what a person can do about it. */
function Stopped({ view }: { view: TaskRecord['views'][number] | undefined }) {
  if (view?.state === 'failed')
    return (
      <p className="wash-bad m-0 mt-3 rounded-sm px-3 py-2">
        {view.reasons.join('; ')}.{' '}
        {view.mend ? (
          <>
            To try it again: <code>{view.mend}</code>
          </>
        ) : null}
      </p>
    );
  const why = view?.pause ?? view?.waiting;
  if (!why || (view?.state !== 'paused' && view?.state !== 'waiting')) return null;
  return (
    <p className="wash-warn m-0 mt-3 rounded-sm px-3 py-2">
      {'reason' in why ? why.reason : why.why}. To go on: <code>{why.mend}</code>
    </p>
  );
}

interface TabProps {
  isOn: boolean;
  onOpen(): void;
  controls: string;
  children: string;
}

function Tab({ isOn, onOpen, controls, children }: TabProps) {
  return (
    <button
      type="button"
      role="tab"
      aria-selected={isOn}
      aria-controls={controls}
      tabIndex={isOn ? 0 : -1}
      onClick={onOpen}
      className={`-mb-px border-x-0 border-b-2 border-t-0 bg-transparent px-2 py-1.5 sm:px-3 ${isOn ? 'border-ink font-semibold text-ink' : 'border-transparent text-soft hover:text-ink'}`}
    >
      {children}
    </button>
  );
}

/** Left and right go from tab to tab, as in any list of tabs. */
function onTabKey(event: React.KeyboardEvent<HTMLDivElement>): void {
  const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
  if (by === 0) return;
  const tabs = [...event.currentTarget.querySelectorAll<HTMLElement>('[role=tab]')];
  const next = tabs[(tabs.indexOf(document.activeElement as HTMLElement) + by + tabs.length) % tabs.length];
  next?.focus();
  next?.click();
  event.preventDefault();
}
