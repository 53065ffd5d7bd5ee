import { InvalidArgumentError } from 'commander';

const unitsMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `30m`, `1h`, `1h30m` or `2d` in milliseconds. */
export function readDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text.trim()) {
    throw new InvalidArgumentError('Give a time with its unit, such as 90s, 30m, 1h or 1h30m.');
  }
  return Math.round(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * unitsMs[unit!]!, 0));
}

/** The same, for what may not be over before it begins. */
export function readDurationFromSecond(text: string): number {
  const durationMs = readDuration(text);
  if (durationMs < 1000) throw new InvalidArgumentError('Give at least 1s.');
  return durationMs;
}

/** Dollars, such as `1.50`, in micro-dollars. */
export function readDollars(text: string): number {
  if (!/^\$?\d+(\.\d{1,6})?$/.test(text.trim()))
    throw new InvalidArgumentError('Give dollars, such as 1.50.');
  return Math.round(Number(text.trim().replace('$', '')) * 1_000_000);
}

/** A whole number from 0 on. */
export function readCount(text: string): number {
  if (!/^\d+$/.test(text.trim())) throw new InvalidArgumentError('Give a whole number.');
  if (text.trim().length > 9) throw new InvalidArgumentError('Give a smaller number.');
  return Number(text);
}

/** A whole number from 1 on. */
export function readCountFromOne(text: string): number {
  const count = readCount(text);
  if (count === 0) throw new InvalidArgumentError('Give a whole number from 1 on.');
  return count;
}
