/** How busy a worker is with its models, and how fast they write; told in its heartbeat. Times in milliseconds. */
export interface CallLoad {
  began(pool: string): void;
  ended(
    pool: string,
    reply?: { model: string; outputTokens: number; durationMs: number; atMs: number },
  ): void;
  /** Calls under way in a pool. */
  busy(pool: string): number;
  /** Tokens a second of one reply, over those of the last minute; undefined where there was none. */
  tokensPerSecond(model: string, nowMs: number): number | undefined;
  /** How long a call takes, over those of the last minutes; undefined where there was none. */
  callMs(pool: string, nowMs: number): number | undefined;
}

const speedWindowMs = 60_000;
const durationWindowMs = 300_000;

interface Ended {
  pool: string;
  model: string;
  outputTokens: number;
  durationMs: number;
  atMs: number;
}

/** A tally of a worker's calls that forgets what is older than five minutes. */
export function openCallLoad(): CallLoad {
  const busy = new Map<string, number>();
  let calls: Ended[] = [];
  const since = (nowMs: number, windowMs: number) => calls.filter(({ atMs }) => atMs > nowMs - windowMs);
  return {
    began: (pool) => void busy.set(pool, (busy.get(pool) ?? 0) + 1),
    ended(pool, reply) {
      busy.set(pool, Math.max(0, (busy.get(pool) ?? 0) - 1));
      if (!reply) return;
      calls = [...since(reply.atMs, durationWindowMs), { pool, ...reply }];
    },
    busy: (pool) => busy.get(pool) ?? 0,
    tokensPerSecond(model, nowMs) {
      const replies = since(nowMs, speedWindowMs).filter((one) => one.model === model);
      const tokens = replies.reduce((sum, one) => sum + one.outputTokens, 0);
      const seconds = replies.reduce((sum, one) => sum + one.durationMs, 0) / 1000;
      return tokens > 0 && seconds > 0 ? Math.round((tokens / seconds) * 10) / 10 : undefined;
    },
    callMs(pool, nowMs) {
      const ended = since(nowMs, durationWindowMs).filter((one) => one.pool === pool);
      if (ended.length === 0) return undefined;
      return Math.round(ended.reduce((sum, one) => sum + one.durationMs, 0) / ended.length);
    },
  };
}
