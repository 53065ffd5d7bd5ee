import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { following } from '../model/playhead.ts';
import { hashOf, placeOf, type Place } from '../model/place.ts';
import { noFilter } from '../model/task-filter.ts';
import { noRecord, summaryAt } from '../model/task-record.ts';
import type { Source } from '../source/source.ts';
import type { Store } from '../store.ts';
import { DemoRibbon, Header, LinkNotice } from './header.tsx';
import { FrameMeter } from './frame-meter.tsx';
import { MeshPage } from './mesh.tsx';
import { TaskPage } from './task.tsx';
import { TasksPage, type LeftList } from './tasks.tsx';
import { usePlayer } from './use-playhead.tsx';
import { usePreferences } from './use-preferences.tsx';

interface AppProps {
  store: Store;
  source: Source;
  demoTaskId?: string | undefined;
  isGenerated: boolean;
}

const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

export function App({ store, source, demoTaskId, isGenerated }: AppProps) {
  const yard = useSyncExternalStore(store.subscribe, store.yard);
  const preferences = usePreferences();
  const [place, go] = usePlace();
  const isDemo = source.kind === 'demo';
  const taskId = place.view === 'task' ? place.taskId : demoTaskId;
  const record = yard.records.get(taskId ?? '');
  const shown = useMemo(() => record ?? noRecord(taskId ?? ''), [record, taskId]);
  // A recording plays by itself, unless motion is unwanted; a made-up task and a mesh are looked at where they are.
  const start = isDemo && !isGenerated && !still() ? { cursor: 0, isPlaying: true, speed: 0.5 } : following;
  const player = usePlayer(shown, start);
  const { isFollowing, follow } = player;

  // Another task is followed from where it is.
  const lastTask = useRef(taskId);
  useEffect(() => {
    if (lastTask.current !== taskId && !isFollowing) follow();
    lastTask.current = taskId;
  }, [taskId, isFollowing, follow]);

  useEffect(() => {
    if (place.view === 'task') source.openTask(place.taskId);
  }, [place, source]);

  const summary =
    isDemo && place.view === 'tasks' && !isFollowing ? summaryAt(shown, player.cursor) : undefined;
  const tasks = useMemo(
    () => (summary ? new Map(yard.tasks).set(summary.taskId, summary) : yard.tasks),
    [summary, yard.tasks],
  );

  const list = useRef<LeftList>({ filter: noFilter, top: 0 });
  const main = useRef<HTMLElement>(null);
  const where = place.view === 'task' ? place.taskId : place.view;
  const lastWhere = useRef(where);
  useEffect(() => {
    if (lastWhere.current === where || !main.current) return;
    lastWhere.current = where;
    // Who comes back to the list is on its row again; another view is read from its title on.
    main.current.scrollTo(0, where === 'tasks' ? list.current.top : 0);
    const start = main.current.querySelector<HTMLElement>(where === 'tasks' ? '[role=grid]' : 'h1');
    (start ?? main.current).focus({ preventScroll: true });
  }, [where]);
  return (
    <div className="grid h-full grid-rows-[auto_auto_minmax(0,1fr)]">
      <a
        href="#main"
        className="button absolute left-2 top-2 z-50 -translate-y-20 focus:translate-y-0"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <Header yard={yard} place={place} go={go} preferences={preferences} />
      <aside aria-label="Notices">
        {isDemo ? (
          <DemoRibbon isGenerated={isGenerated} />
        ) : (
          <LinkNotice link={yard.link} hasTasks={yard.isListed} />
        )}
      </aside>
      <main
        ref={main}
        id="main"
        tabIndex={-1}
        className="min-h-0 overflow-auto outline-none"
        onScroll={(event) => {
          if (place.view === 'tasks') list.current.top = event.currentTarget.scrollTop;
        }}
      >
        {place.view === 'mesh' ? (
          <MeshPage yard={yard} isDemo={isDemo} />
        ) : place.view === 'task' ? (
          <TaskPage
            key={place.taskId}
            yard={yard}
            record={shown}
            taskId={place.taskId}
            tab={place.tab}
            go={go}
            player={player}
            flags={preferences.flags}
          />
        ) : (
          <TasksPage
            yard={yard}
            tasks={tasks}
            record={shown}
            list={list.current}
            player={player}
            go={go}
            source={source}
            isDemo={isDemo}
          />
        )}
      </main>
      {preferences.flags.frames ? <FrameMeter /> : null}
    </div>
  );
}

/** The place that the address names; going somewhere is a step of the browser's history. */
function usePlace(): [Place, (place: Place) => void] {
  const [place, setPlace] = useState(() => placeOf(location.hash));
  useEffect(() => {
    const change = () => setPlace(placeOf(location.hash));
    addEventListener('hashchange', change);
    return () => removeEventListener('hashchange', change);
  }, []);
  return [place, (next) => void (location.hash = hashOf(next))];
}
