import type { FailureCause } from '../schemas/call.ts';
import type { Call, CallFacts } from './call.ts';

/** One attempt that came to nothing. */
export interface AttemptFailure {
  cause: FailureCause;
  status?: number | undefined;
  /** How long the provider asked us to wait, if it did. */
  retryAfterMs?: number | undefined;
}

/** What counts calls and knows which pools rest, as whoever serves calls sees it. */
export interface CallBreaker {
  /** Set while the pool rests. */
  restOf(pool: string): CallFacts['breaker'];
  succeeded(pool: string, model: string): void;
  failed(pool: string, model: string, failure: AttemptFailure): void;
  /** A worker ended on this call, which this many workers in a row have been on. */
  crashed(call: Pick<Call, 'pool' | 'model' | 'callId' | 'epoch'>, worker: string): void;
}

/** Lines of a log; bus/log.ts fits. */
export interface CallLog {
  info(line: object, words: string): void;
  warn(line: object, words: string): void;
}
