import { Worker } from 'node:worker_threads';
import { dialOptions, type Credentials } from './connect.ts';
import { programFile } from './program-file.ts';
import type { LeaseWork } from './lease-worker.ts';
import type { Log } from './log.ts';

/** Keeps the leases of messages that are being acted on. A token is the message's own acknowledgement subject. */
export interface Lease {
  hold(token: string): void;
  release(token: string): void;
  stop(): Promise<void>;
}

const againMs = 1000;

/**
 * Renews at a third of the lease, on a thread that starts with the first message held. A main thread that does not feed it
 * for `patienceMs` loses its leases. A thread that ended, as where the broker was away when it first dialled, is logged
 * and started again with all that is held.
 */
export function openLease(
  url: string,
  name: string,
  credentials: Credentials | undefined,
  leaseMs: number,
  log: Log,
  patienceMs = 60_000,
): Lease {
  const held = new Set<string>();
  let isStopped = false;
  let again: NodeJS.Timeout | undefined;
  let worker: Worker | undefined;

  function launch(): Worker {
    const workerData: LeaseWork = {
      dial: dialOptions(url, `${name} lease`, credentials),
      intervalMs: Math.floor(leaseMs / 3),
      patienceMs,
      held: [...held],
    };
    const launched = new Worker(programFile('bus/lease-worker.ts'), { workerData, execArgv: [] });
    launched.unref();
    // Without the thread leases end early and work is done twice; that is safe, but nobody should have to guess it.
    launched.on('error', (error) =>
      log.warn({ error: String(error) }, 'no lease is renewed until this thread runs again'),
    );
    launched.once('exit', () => {
      if (isStopped) return;
      again = setTimeout(() => (worker = launch()), againMs);
      again.unref();
    });
    return launched;
  }

  const feeding = setInterval(() => worker?.postMessage({ feed: true }), 1000);
  feeding.unref();
  return {
    hold(token) {
      held.add(token);
      if (worker) worker.postMessage({ hold: token });
      else if (!isStopped) worker = launch();
    },
    release(token) {
      held.delete(token);
      worker?.postMessage({ release: token });
    },
    async stop() {
      isStopped = true;
      clearInterval(feeding);
      clearTimeout(again);
      await worker?.terminate();
    },
  };
}
