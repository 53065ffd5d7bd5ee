import type { NatsConnection } from '@nats-io/transport-node';

/** The connection broke before an answer came: what was asked may have been done or not. */
class ConnectionLostError extends Error {
  constructor(subject: string) {
    super(`the connection to the broker broke while ${subject} was asked`);
    this.name = 'ConnectionLostError';
  }
}

const patienceMs = 5000;

/**
 * Fails the requests that are under way when a connection breaks, and lets those that are made meanwhile wait until it
 * is back. The answers of the first can never come, and the client drops the others unsent: whoever waits for one would
 * wait until its time is up, long after the broker is back. Publishing into a stream is a request too.
 */
export function failBrokenRequests(connection: NatsConnection): void {
  const underWay = new Set<() => void>();
  const ask = connection.request.bind(connection);
  let back: PromiseWithResolvers<void> | undefined;
  connection.request = async (subject, payload, options) => {
    if (back) await Promise.race([back.promise, passed(options?.timeout ?? patienceMs)]);
    return new Promise((resolve, reject) => {
      const fail = () => reject(new ConnectionLostError(subject));
      underWay.add(fail);
      ask(subject, payload, options)
        .then(resolve, reject)
        .finally(() => underWay.delete(fail));
    });
  };
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') {
        back ??= Promise.withResolvers<void>();
        for (const fail of underWay) fail();
        underWay.clear();
      } else if (type === 'reconnect' || type === 'close') {
        back?.resolve();
        back = undefined;
      }
    }
    back?.resolve();
    back = undefined;
  })();
}

const passed = (timeMs: number) => new Promise<void>((resolve) => void setTimeout(resolve, timeMs).unref());
