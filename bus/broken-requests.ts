import type { NatsConnection } from '@nats-io/transport-node';

/** The connection broke before an answer came: what was asked may have been done or not. */
export class ConnectionLostError extends Error {
  constructor(subject: string) {
    super(`the connection to the broker broke while ${subject} was asked`);
    this.name = 'ConnectionLostError';
  }
}

/**
 * Fails the requests that are under way when a connection breaks. Their answers can never come, and whoever waits for
 * one would else wait until its time is up, long after the broker is back. Publishing into a stream is a request too.
 */
export function failBrokenRequests(connection: NatsConnection): void {
  const underWay = new Set<() => void>();
  const ask = connection.request.bind(connection);
  connection.request = (subject, ...rest) =>
    new Promise((resolve, reject) => {
      const fail = () => reject(new ConnectionLostError(subject));
      underWay.add(fail);
      ask(subject, ...rest)
        .then(resolve, reject)
        .finally(() => underWay.delete(fail));
    });
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type !== 'disconnect') continue;
      for (const fail of underWay) fail();
      underWay.clear();
    }
  })();
}
