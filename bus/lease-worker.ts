import { connect, type ConnectionOptions } from '@nats-io/transport-node';
import { parentPort, workerData } from 'node:worker_threads';

/**
 * Tells the broker that held messages are still worked on, from a thread of its own: the main thread may be busy for
 * longer than a lease. What the main thread has not fed for too long is no longer kept, so a hung process hides nothing.
 * It ends with an error where it cannot connect or is refused later; the main thread starts another then.
 */
export interface LeaseWork {
  dial: ConnectionOptions;
  intervalMs: number;
  patienceMs: number;
  /** What is held already: another thread may have ended. */
  held: string[];
}

const work = workerData as LeaseWork;
const held = new Set(work.held);
let lastFedAtMs = Date.now();

parentPort!.on('message', (message: { hold?: string; release?: string; feed?: true }) => {
  lastFedAtMs = Date.now();
  if (message.hold) held.add(message.hold);
  if (message.release) held.delete(message.release);
});

const connection = await connect(work.dial);
const renew = () => {
  if (Date.now() - lastFedAtMs > work.patienceMs) return;
  for (const token of held) connection.publish(token, '+WPI');
};
renew();
setInterval(renew, work.intervalMs);
throw (await connection.closed()) ?? new Error('its connection was closed');
