/** Where a task is looked at: at its last event, or at one before it. */
export interface Playhead {
  /** Undefined: follows the newest event. */
  cursor?: number;
  isPlaying: boolean;
  speed: number;
}

export const following: Playhead = { isPlaying: false, speed: 1 };
export const speeds = [0.25, 0.5, 1, 4, 16] as const;

/** The place that a playhead shows, of so many events. */
export const cursorOf = (playhead: Playhead, count: number): number =>
  Math.max(0, Math.min(playhead.cursor ?? count - 1, count - 1));

/** How long a silence lasts when it is played, at most: nobody waits for a night's pause. */
const longestSilenceMs = 3000;

/** Milliseconds until the next event is to be shown; undefined at the end. */
export function nextAfterMs(
  times: readonly { atMs: number }[],
  cursor: number,
  speed: number,
): number | undefined {
  const here = times[cursor];
  const next = times[cursor + 1];
  if (!here || !next) return undefined;
  return Math.min(longestSilenceMs, Math.max(0, next.atMs - here.atMs)) / speed;
}

/** The place of the next trouble after `cursor`, or the first one again; undefined where there is none. */
export function nextTrouble(
  places: readonly number[],
  cursor: number,
  isBackward = false,
): number | undefined {
  const sorted = [...new Set(places)].sort((one, other) => one - other);
  if (sorted.length === 0) return undefined;
  if (isBackward) return sorted.findLast((place) => place < cursor) ?? sorted.at(-1);
  return sorted.find((place) => place > cursor) ?? sorted[0];
}
