import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { cursorOf, following, nextAfterMs, nextTrouble, type Playhead } from '../model/playhead.ts';
import type { TaskRecord } from '../model/task-record.ts';
import { troubles } from '../model/signs.ts';

export interface Player {
  cursor: number;
  count: number;
  isFollowing: boolean;
  isPlaying: boolean;
  speed: number;
  /** Places of what went wrong. */
  troublesAt: readonly number[];
  seek(cursor: number): void;
  step(by: number): void;
  toTrouble(isBackward?: boolean): void;
  togglePlay(): void;
  setSpeed(speed: number): void;
  follow(): void;
}

/** Plays a task's events by the times at which they happened. */
export function usePlayer(record: TaskRecord, start: Playhead = following): Player {
  const [head, setHead] = useState<Playhead>(start);
  const { events, track } = record;
  const count = events.length;
  const cursor = cursorOf(head, count);
  const latest = useRef({ cursor, events });
  latest.current = { cursor, events };

  useEffect(() => {
    if (!head.isPlaying) return undefined;
    let frame = 0;
    let before = performance.now();
    let saved = 0;
    const tick = (now: number) => {
      saved += now - before;
      before = now;
      let { cursor: place } = latest.current;
      const from = place;
      for (;;) {
        const wait = nextAfterMs(latest.current.events, place, head.speed);
        if (wait === undefined) {
          setHead((known) => ({ ...known, cursor: latest.current.events.length - 1, isPlaying: false }));
          return;
        }
        if (wait > saved) break;
        saved -= wait;
        place += 1;
      }
      if (place !== from) setHead((known) => ({ ...known, cursor: place }));
      frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(tick);
    return () => cancelAnimationFrame(frame);
  }, [head.isPlaying, head.speed]);

  const troublesAt = useMemo(
    () => track.incidents.filter((one) => troubles.has(one.sign)).map((one) => one.index),
    [track],
  );
  const seek = useCallback((place: number) => {
    const last = latest.current.events.length - 1;
    setHead((known) => ({ ...known, cursor: Math.max(0, Math.min(place, last)), isPlaying: false }));
  }, []);
  return {
    cursor,
    count,
    isFollowing: head.cursor === undefined,
    isPlaying: head.isPlaying,
    speed: head.speed,
    troublesAt,
    seek,
    step: (by) => seek(latest.current.cursor + by),
    toTrouble(isBackward) {
      const place = nextTrouble(troublesAt, latest.current.cursor, isBackward);
      if (place !== undefined) seek(place);
    },
    togglePlay() {
      setHead((known) => {
        if (known.isPlaying) return { ...known, isPlaying: false };
        const place = cursorOf(known, latest.current.events.length);
        const isAtEnd = place >= latest.current.events.length - 1;
        return { ...known, cursor: isAtEnd ? 0 : place, isPlaying: true };
      });
    },
    setSpeed: (speed) => setHead((known) => ({ ...known, speed })),
    follow: () => setHead((known) => ({ ...known, cursor: undefined, isPlaying: false })),
  };
}
