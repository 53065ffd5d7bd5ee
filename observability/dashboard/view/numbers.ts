/** `940`, `12.4k`, `1.2M`. */
export function shortCount(count: number): string {
  if (count < 10_000) return String(Math.round(count));
  return count < 1_000_000 ? `${(count / 1000).toFixed(1)}k` : `${(count / 1_000_000).toFixed(1)}M`;
}

/** `146 MB`. */
export function bytesText(bytes: number): string {
  if (bytes >= 1_000_000_000) return `${(bytes / 1_000_000_000).toFixed(1)} GB`;
  return `${Math.round(bytes / 1_000_000)} MB`;
}

/** `$0.41`, and more digits only where it is less than a cent. */
export function dollars(microDollars: number): string {
  if (microDollars === 0) return '$0';
  return `$${(microDollars / 1_000_000).toFixed(microDollars < 10_000 ? 4 : 2)}`;
}

/** `14:03:21.482` in UTC, as logs and events have it. */
export const clockText = (atMs: number): string => new Date(atMs).toISOString().slice(11, 23);
