import { useMemo } from 'react';
import type { RecordedEvent } from '../../task-view.ts';
import { meshNotices } from '../model/mesh-log.ts';
import { clockText } from './numbers.ts';
import { Chip } from './sign.tsx';
import { Words } from './words.tsx';

interface MeshLogProps {
  events: readonly RecordedEvent[];
  isDemo: boolean;
}

/** What happened to the mesh itself, newest first: breakers and why, crashes, modes of observation, dead letters. */
export function MeshLog({ events, isDemo }: MeshLogProps) {
  const notices = useMemo(() => meshNotices(events), [events]);
  return (
    <section aria-label="What happened to the mesh" className="panel px-4 py-3">
      <h2 className="m-0 text-base font-semibold">What happened to the mesh</h2>
      {notices.length === 0 ? (
        <p className="m-0 mt-1 text-soft">
          {isDemo ? 'The recording has the events of its task alone.' : 'Nothing yet.'} Here a pool that rests
          or is back says why, a process that died says who saw it, and a switch of the observation says until
          when.
        </p>
      ) : (
        <ol
          className="m-0 mt-2 max-h-96 list-none space-y-2 overflow-y-auto p-0"
          tabIndex={0}
          aria-label="Events of the mesh, newest first"
        >
          {notices.map((one) => (
            <li key={one.sequence} className="grid gap-x-3 sm:grid-cols-[6rem_11rem_minmax(0,1fr)]">
              <time className="mono text-soft" dateTime={new Date(one.atMs).toISOString()}>
                {clockText(one.atMs).slice(0, 8)}
              </time>
              <span>
                <Chip name={one.sign}>{one.word}</Chip>
              </span>
              <div className="min-w-0 break-words">
                <Words spans={one.spans} />
                {one.details.map((spans, index) => (
                  <p key={index} className="m-0 text-soft">
                    <Words spans={spans} />
                  </p>
                ))}
              </div>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
