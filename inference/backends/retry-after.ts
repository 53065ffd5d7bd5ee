/**
 * How long a provider asks us to wait, in milliseconds: `retry-after-ms`, or `Retry-After` in seconds or as
 * a date. Undefined where it does not say, or says something else.
 */
export function readRetryAfter(headers: Headers | undefined, nowMs: number): number | undefined {
  const milliseconds = headers?.get('retry-after-ms');
  if (milliseconds && Number(milliseconds) >= 0) return Number(milliseconds);
  const value = headers?.get('retry-after')?.trim();
  if (!value) return undefined;
  if (Number(value) >= 0) return Math.round(Number(value) * 1000);
  const dateMs = Date.parse(value);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}
