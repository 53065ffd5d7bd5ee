import { Worker } from 'node:worker_threads';
import type { Credentials } from './connect.ts';

/** Keeps the leases of messages that are being acted on. A token is the message's own acknowledgement subject. */
export interface Lease {
  hold(token: string): void;
  release(token: string): void;
  stop(): Promise<void>;
}

/** Renews at a third of the lease. A main thread that does not feed it for `patienceMs` loses its leases. */
export function openLease(
  url: string,
  name: string,
  credentials: Credentials | undefined,
  leaseMs: number,
  patienceMs = 60_000,
): Lease {
  const worker = new Worker(new URL('./lease-worker.ts', import.meta.url), {
    workerData: { url, name, ...credentials, intervalMs: Math.floor(leaseMs / 3), patienceMs },
    execArgv: [],
  });
  worker.unref();
  // Without the thread leases end early and work is done twice; that is safe, and the registry shows the load.
  worker.on('error', () => {});
  const feeding = setInterval(() => worker.postMessage({ feed: true }), 1000);
  feeding.unref();
  return {
    hold: (token) => worker.postMessage({ hold: token }),
    release: (token) => worker.postMessage({ release: token }),
    async stop() {
      clearInterval(feeding);
      await worker.terminate();
    },
  };
}
