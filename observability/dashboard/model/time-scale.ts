/** Maps times to places from 0 to 1; long silences are folded, so that a night's pause does not hide a minute's work. */
export interface TimeScale {
  fromMs: number;
  toMs: number;
  /** Place of a time, from 0 to 1. */
  at(ms: number): number;
  /** The folded silences: where each stands and how long it was. */
  folds: { at: number; lastsMs: number }[];
  /** Time at a place. */
  inverse(place: number): number;
}

/** A silence is folded to this part of the time in which something happened. */
const foldedPart = 0.06;
const leastFoldMs = 4000;

/**
 * Where the scale of a task that goes on ends: a little after now, in steps of the time that it has taken, so that a long
 * task's scale is not made anew with each tick of a clock.
 */
export function scaleEndMs(fromMs: number, nowMs: number): number {
  const lasts = Math.max(1, nowMs - fromMs);
  const step = 2 ** Math.max(0, Math.floor(Math.log2(lasts / 64)));
  return fromMs + Math.ceil(lasts / step) * step;
}

/** `times` in order; `toMs` is where the scale ends, such as now. */
export function timeScale(times: readonly number[], toMs: number): TimeScale {
  const fromMs = times[0] ?? toMs;
  const end = Math.max(toMs, times.at(-1) ?? toMs, fromMs + 1);
  const stops = [...times, end];
  const gaps: number[] = [];
  for (let index = 1; index < stops.length; index += 1)
    gaps.push(Math.max(0, stops[index]! - stops[index - 1]!));
  const total = gaps.reduce((sum, gap) => sum + gap, 0);
  const longest = Math.max(leastFoldMs, total * 0.25);
  const busy = gaps.reduce((sum, gap) => sum + (gap > longest ? 0 : gap), 0);
  const folded = Math.max(leastFoldMs, busy * foldedPart);
  const places: number[] = [0];
  const folds: { at: number; lastsMs: number; index: number }[] = [];
  let sum = 0;
  gaps.forEach((gap, index) => {
    // The time since the last event is folded only where work went on before it.
    const isFolded = gap > longest && gap > folded && busy > 0;
    if (isFolded) folds.push({ at: sum, lastsMs: gap, index });
    sum += isFolded ? folded : gap;
    places.push(sum);
  });
  const width = Math.max(1, sum);
  /** The last stop that is not after a value. */
  const before = (list: readonly number[], value: number): number => {
    let low = 0;
    let high = list.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (list[middle]! <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const between = (from: readonly number[], to: readonly number[], value: number): number => {
    const index = Math.min(before(from, value), from.length - 2);
    const span = from[index + 1]! - from[index]!;
    const part = span === 0 ? 0 : Math.min(1, Math.max(0, (value - from[index]!) / span));
    return to[index]! + part * (to[index + 1]! - to[index]!);
  };
  return {
    fromMs,
    toMs: end,
    at: (ms) => Math.min(1, Math.max(0, between(stops, places, ms) / width)),
    inverse: (place) => between(places, stops, place * width),
    folds: folds.map(({ at, lastsMs }) => ({ at: (at + folded / 2) / width, lastsMs })),
  };
}
