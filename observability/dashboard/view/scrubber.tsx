import { useMemo, useRef, type KeyboardEvent, type PointerEvent } from 'react';
import { shortType } from '../../../schemas/envelope.ts';
import { durationText, offsetText } from '../../wording.ts';
import { speeds } from '../model/playhead.ts';
import { signs, troubles } from '../model/signs.ts';
import type { TaskRecord } from '../model/task-record.ts';
import type { TimeScale } from '../model/time-scale.ts';
import { Glyph } from './sign.tsx';
import type { Player } from './use-playhead.tsx';

interface ScrubberProps {
  record: TaskRecord;
  player: Player;
  scale: TimeScale;
  isRunning: boolean;
}

/** Marks closer to each other than this part of the line would lie upon each other. */
const leastApart = 0.012;

/** Goes through a task's events in time. */
export function Scrubber({ record, player, scale, isRunning }: ScrubberProps) {
  const { events, track } = record;
  const { cursor, count } = player;
  const line = useRef<HTMLDivElement>(null);
  const marks = useMemo(() => {
    let last = -1;
    return track.incidents.flatMap((one) => {
      const at = scale.at(one.atMs);
      if (!troubles.has(one.sign) || at - last < leastApart) return [];
      last = at;
      return [{ ...one, at }];
    });
  }, [track, scale]);
  const here = events[cursor];
  if (!here) return null;
  const startMs = events[0]!.atMs;

  /** The last event that is not after a place of the line. */
  const seekTo = (event: PointerEvent) => {
    const box = line.current!.getBoundingClientRect();
    const wanted = scale.inverse(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    let place = events.findIndex((one) => one.atMs > wanted) - 1;
    if (place === -2) place = count - 1;
    player.seek(Math.max(0, place));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, () => void> = {
      ArrowRight: () => player.step(1),
      ArrowUp: () => player.step(1),
      ArrowLeft: () => player.step(-1),
      ArrowDown: () => player.step(-1),
      PageUp: () => player.step(10),
      PageDown: () => player.step(-10),
      Home: () => player.seek(0),
      End: () => player.seek(count - 1),
      ' ': () => player.togglePlay(),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };
  const text = `event ${cursor + 1} of ${count}, ${shortType(here.event.type)}, ${durationText(here.atMs - startMs)} after the start`;
  return (
    <section aria-label="Replay" className="panel flex flex-wrap items-center gap-x-3 gap-y-2 px-3 py-2">
      <div className="flex gap-1">
        <button type="button" className="button w-16" onClick={player.togglePlay}>
          {player.isPlaying ? 'Stop' : 'Play'}
        </button>
        <button
          type="button"
          className="button !px-2"
          aria-label="One event back"
          onClick={() => player.step(-1)}
        >
          ◂
        </button>
        <button
          type="button"
          className="button !px-2"
          aria-label="One event on"
          onClick={() => player.step(1)}
        >
          ▸
        </button>
        <button
          type="button"
          className="button"
          onClick={() => player.toTrouble()}
          disabled={player.troublesAt.length === 0}
          title="f, and Shift+f for the one before"
        >
          Next failure
        </button>
      </div>
      <div
        ref={line}
        role="slider"
        tabIndex={0}
        aria-label="Place in the task"
        aria-valuemin={1}
        aria-valuemax={count}
        aria-valuenow={cursor + 1}
        aria-valuetext={text}
        className="sleepers relative order-last h-9 min-w-0 basis-full touch-none xl:order-none xl:flex-1 xl:basis-0"
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          seekTo(event);
        }}
        onPointerMove={(event) => event.buttons > 0 && seekTo(event)}
      >
        {scale.folds.map((fold) => (
          <span
            key={fold.at}
            className="folded absolute inset-y-2 w-3 -translate-x-1/2 bg-panel"
            style={{ left: `${fold.at * 100}%` }}
            title={`nothing for ${durationText(fold.lastsMs)}`}
          />
        ))}
        <span
          className="absolute inset-y-[17px] left-0 bg-lamp"
          style={{ width: `${scale.at(here.atMs) * 100}%` }}
          aria-hidden="true"
        />
        {marks.map((one) => (
          <span
            key={`${one.index}-${one.sign}`}
            className="absolute top-0 -translate-x-1/2"
            style={{ left: `${one.at * 100}%` }}
            title={`${signs[one.sign].word}: ${one.text}`}
          >
            <Glyph name={one.sign} className="!size-3" />
          </span>
        ))}
        <span
          className="absolute bottom-0 top-1 w-2.5 -translate-x-1/2 rounded-sm border-2 border-panel bg-ink"
          style={{ left: `${scale.at(here.atMs) * 100}%` }}
          aria-hidden="true"
        />
      </div>
      <div className="ml-auto flex items-center gap-2">
        <span className="mono whitespace-nowrap text-soft" data-testid="cursor">
          {offsetText(here.atMs - startMs)} · {cursor + 1}/{count}
        </span>
        <select
          aria-label="Speed"
          className="field"
          value={player.speed}
          onChange={(event) => player.setSpeed(Number(event.target.value))}
        >
          {speeds.map((speed) => (
            <option key={speed} value={speed}>
              {speed}×
            </option>
          ))}
        </select>
        {player.isFollowing ? null : (
          <button type="button" className="button" onClick={player.follow}>
            {isRunning ? 'Follow live' : 'To the end'}
          </button>
        )}
      </div>
    </section>
  );
}
