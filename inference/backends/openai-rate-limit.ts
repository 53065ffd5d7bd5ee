import { readRetryAfter } from './retry-after.ts';

const unitsMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * How long to wait after a 429, in milliseconds: what `Retry-After` says, else when OpenAI's limits of requests or
 * tokens are free again. Undefined where neither says.
 */
export function waitAfterLimit(headers: Headers | undefined, nowMs: number): number | undefined {
  if (!headers) return undefined;
  return wait(headers, nowMs) ?? wait(ofProvider(headers), nowMs);
}

/** What a LiteLLM gateway passes on from the provider behind it bears this prefix. */
function ofProvider(headers: Headers): Headers {
  const prefix = 'llm_provider-';
  const own = [...headers].filter(([name]) => name.startsWith(prefix));
  return new Headers(own.map(([name, value]) => [name.slice(prefix.length), value]));
}

function wait(headers: Headers, nowMs: number): number | undefined {
  const asked = readRetryAfter(headers, nowMs);
  if (asked !== undefined) return asked;
  const limits = ['requests', 'tokens'].flatMap((kind) => {
    const waitMs = readDuration(headers.get(`x-ratelimit-reset-${kind}`));
    return waitMs === undefined ? [] : [{ waitMs, left: headers.get(`x-ratelimit-remaining-${kind}`) }];
  });
  const exhausted = limits.filter((limit) => limit.left !== null && Number(limit.left) <= 0);
  const waits = (exhausted.length > 0 ? exhausted : limits).map((limit) => limit.waitMs);
  return waits.length > 0 ? Math.max(...waits) : undefined;
}

/** `6m0s`, `1.5s`, `120ms`, and plain seconds, as they stand in x-ratelimit-reset-*; some gateways put a date there. */
function readDuration(text: string | null): number | undefined {
  const value = text?.trim();
  if (!value) return undefined;
  if (/^\d{1,6}(\.\d+)?$/.test(value)) return Math.round(Number(value) * 1000);
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(value)) return undefined;
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)];
  return Math.round(parts.reduce((sum, [, number, unit]) => sum + Number(number) * unitsMs[unit!]!, 0));
}
