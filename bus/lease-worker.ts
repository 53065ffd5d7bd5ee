import { connect } from '@nats-io/transport-node';
import { parentPort, workerData } from 'node:worker_threads';

/**
 * Tells the broker that held messages are still worked on, from a thread of its own: the main thread may be busy for
 * longer than a lease. What the main thread has not fed for too long is no longer kept, so a hung process hides nothing.
 */
interface Settings {
  url: string;
  user?: string;
  password?: string;
  intervalMs: number;
  patienceMs: number;
  name: string;
  inboxPrefix?: string;
}

const settings = workerData as Settings;
const held = new Set<string>();
let lastFedAtMs = Date.now();

const connection = await connect({
  servers: settings.url,
  name: `${settings.name} lease`,
  ...(settings.user ? { user: settings.user, pass: settings.password ?? '' } : {}),
  ...(settings.inboxPrefix ? { inboxPrefix: settings.inboxPrefix } : {}),
  maxReconnectAttempts: -1,
  reconnectTimeWait: 250,
});
void connection.closed().then(() => process.exit(0));

parentPort!.on('message', (message: { hold?: string; release?: string; feed?: true }) => {
  lastFedAtMs = Date.now();
  if (message.hold) held.add(message.hold);
  if (message.release) held.delete(message.release);
});

setInterval(() => {
  if (Date.now() - lastFedAtMs > settings.patienceMs) return;
  for (const token of held) connection.publish(token, '+WPI');
}, settings.intervalMs);
