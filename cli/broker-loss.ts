import { BrokerError } from '../bus/errors.ts';

/** How long whoever follows a task waits for a broker that has gone. */
const brokerPatienceMs = 10_000;

/** A connection as far as its coming and going is concerned. */
export interface Watched {
  status(): AsyncIterable<{ type: string }>;
}

export interface BrokerWatch {
  isAway(): boolean;
  /** Aborted when the connection next breaks. */
  breaks(): AbortSignal;
  /** Resolves once the connection is there, at once if it is; rejects with BrokerError when it stays away too long. */
  isBack(): Promise<void>;
  stop(): void;
}

/** Watches a connection and says when it breaks and when it is back. */
export function watchBroker(
  connection: Watched,
  say: (line: string) => void,
  patienceMs = brokerPatienceMs,
): BrokerWatch {
  let away: PromiseWithResolvers<void> | undefined;
  let breaking = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const gone = () => {
    const waiting = Promise.withResolvers<void>();
    waiting.promise.catch(() => {});
    away = waiting;
    say(
      `the broker is gone; waiting up to ${patienceMs / 1000} s for it to come back (nothing accepted is lost)`,
    );
    timer = setTimeout(
      () =>
        waiting.reject(
          new BrokerError(
            `the broker has not come back within ${patienceMs / 1000} s`,
            'start the mesh again with `./switchyard up`; the task goes on, and `./switchyard watch` shows it',
          ),
        ),
      patienceMs,
    );
    breaking.abort();
  };
  const back = () => {
    clearTimeout(timer);
    say('the broker is back');
    breaking = new AbortController();
    away?.resolve();
    away = undefined;
  };
  void (async () => {
    for await (const { type } of connection.status()) {
      if (isStopped) return;
      if (type === 'disconnect' && !away) gone();
      else if (type === 'reconnect' && away) back();
    }
  })();
  return {
    isAway: () => away !== undefined,
    breaks: () => breaking.signal,
    isBack: () => away?.promise ?? Promise.resolve(),
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
