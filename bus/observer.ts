import { randomBytes } from 'node:crypto';
import { readBacklogs, type Backlog } from './backlog.ts';
import { connect, type Bus } from './connect.ts';
import { openLog, type Log } from './log.ts';
import { openMicro, type Endpoint } from './micro.ts';
import { openOwnLoad } from './own-load.ts';
import type { Membership } from './process.ts';
import { followRegistry, heartbeatMs, openRegistry, type Heartbeat } from './registry.ts';

/** What a process that only looks on has of the mesh. */
export interface Observer {
  bus: Bus;
  log: Log;
  process: string;
  living(): Heartbeat[];
  /** What waits in the inboxes. */
  queues(): Promise<Backlog[]>;
  /** Answers questions, and says that it is alive, until it stops. */
  serve(endpoints: Endpoint[]): Promise<void>;
  stop(): Promise<void>;
}

/** Joins a mesh as one who looks on. Throws BrokerError. */
export async function openObserver(membership: Membership): Promise<Observer> {
  const { namespace } = membership;
  const process = `observer.${randomBytes(4).toString('hex')}`;
  const log = openLog(process, membership.logLevel);
  const bus = await connect(membership.url, process, membership.credentials, 10_000);
  const registry = await followRegistry(bus, namespace);
  const ownLoad = openOwnLoad();
  let stopServing: () => Promise<unknown> = () => Promise.resolve();
  let stopBeating: () => Promise<unknown> = () => Promise.resolve();

  /** It takes no work, so it has no slots and no pools. */
  async function beat(): Promise<void> {
    const own = await openRegistry(bus, namespace, false);
    const work = { pools: [], tags: [], slots: 0, busySlots: 0 };
    const announce = () =>
      own
        .announce({ role: 'observer', process, version: membership.version, ...work, ...ownLoad() })
        .catch((error: unknown) => log.debug({ error }, 'the registry was not reached'));
    await announce();
    const beating = setInterval(() => void announce(), heartbeatMs);
    stopBeating = () => {
      clearInterval(beating);
      return own.withdraw(process);
    };
  }

  return {
    bus,
    log,
    process,
    living: registry.living,
    queues: () => readBacklogs(bus, namespace),
    async serve(endpoints) {
      const micro = await openMicro(membership, { bus, process }, 'observer', endpoints);
      stopServing = () => micro.stop();
      await beat();
    },
    async stop() {
      await stopServing().catch(() => {});
      registry.stop();
      // A broker that went as well hears no farewell.
      const drained = stopBeating()
        .catch(() => {})
        .then(() => bus.connection.drain())
        .catch(() => {});
      await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, 1000))]);
    },
  };
}
