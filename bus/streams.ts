import {
  AckPolicy,
  DeliverPolicy,
  RetentionPolicy,
  StorageType,
  type ConsumerConfig,
  type JetStreamManager,
  type PriorityPolicy,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { agentRoles, roles } from '../schemas/row.ts';
import { registryBucket } from '../schemas/permissions.ts';
import { streamNames, submitSubject } from '../schemas/subject.ts';
import { ensureArtifacts } from './artifacts.ts';
import type { Bus } from './connect.ts';
import { isAtLeast } from './nats-version.ts';

const nanos = (milliseconds: number) => milliseconds * 1_000_000;

/** How long a timer's consumer waits before it offers a timer again that nobody put back. */
const timerAckWaitMs = 5000;
/** How long a process that does not say it is alive stays in the registry. */
const registryTtlMs = 8000;

/**
 * Processes of a pool differ in what they have to do: who asks says how busy it is, and the broker serves the least busy
 * first. Otherwise it serves who asked first, and one process gets as many calls in a row as it has slots.
 */
export const leastBusyFirst = 'least-busy-first';
export const byPriority: PriorityPolicy = 'prioritized';
const oldestWithPriorities = '2.12.0';

/** The durable consumers of the inbox stream; all processes of a role or pool share one. */
export function inboxConsumers(
  namespace: string,
  pools: string[],
  leaseMs: number,
): Partial<ConsumerConfig>[] {
  const base = {
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(leaseMs),
    // Never the server's own limit: a message past it would stay in the stream unseen. The shell counts.
    max_deliver: -1,
    // A cap would be one for the whole fleet: parked timers or long acts would starve the others.
    max_ack_pending: -1,
  };
  const timer = { ...base, ack_wait: nanos(timerAckWaitMs) };
  return [
    { ...base, durable_name: 'submit', filter_subject: submitSubject(namespace) },
    ...roles.map((role) => ({
      ...base,
      durable_name: `role-${role}`,
      filter_subject: `${namespace}.inbox.role.${role}.>`,
    })),
    ...['manager', ...agentRoles].map((role) => ({
      ...timer,
      durable_name: `timer-${role}`,
      filter_subject: `${namespace}.inbox.timer.${role}.>`,
    })),
    ...pools.map((pool) => ({
      ...base,
      durable_name: `pool-${pool}`,
      filter_subject: `${namespace}.inbox.pool.${pool}.>`,
      priority_groups: [leastBusyFirst],
      priority_policy: byPriority,
    })),
  ];
}

/** Makes the streams, consumers and buckets of a mesh, or brings those that exist up to date. */
export async function ensureStreams(
  bus: Bus,
  namespace: string,
  pools: string[],
  leaseMs: number,
): Promise<void> {
  const names = streamNames(namespace);
  const { manager } = bus;
  const common = { storage: StorageType.File, duplicate_window: nanos(120_000), allow_direct: true };
  await ensureStream(manager, {
    ...common,
    name: names.inbox,
    retention: RetentionPolicy.Workqueue,
    // Only what somebody takes: a misspelt inbox is refused, where a wider net would keep its messages unseen for ever.
    subjects: [
      submitSubject(namespace),
      ...inboxConsumers(namespace, [], leaseMs).flatMap(({ durable_name: name, filter_subject: subject }) =>
        subject && name !== 'submit' ? [subject] : [],
      ),
      // A pool may be taken out of the configuration while questions to it wait: they are answered for by their deadlines.
      `${namespace}.inbox.pool.>`,
    ],
  });
  await ensureStream(manager, {
    ...common,
    name: names.events,
    retention: RetentionPolicy.Limits,
    subjects: [`${namespace}.event.>`],
    // The record: nobody deletes or purges it by accident.
    deny_delete: true,
  });
  await ensureStream(manager, {
    ...common,
    name: names.dead,
    retention: RetentionPolicy.Limits,
    subjects: [`${namespace}.dead.>`],
  });
  for (const consumer of inboxConsumers(namespace, pools, leaseMs))
    await ensureConsumer(bus, names.inbox, consumer);
  await new Kvm(bus.jetstream).create(registryBucket(namespace), { ttl: registryTtlMs, history: 1 });
  await ensureArtifacts(bus, namespace);
}

async function ensureStream(
  manager: JetStreamManager,
  wanted: Partial<StreamConfig> & { name: string },
): Promise<void> {
  const exists = await manager.streams.info(wanted.name).then(
    () => true,
    () => false,
  );
  if (exists) await manager.streams.update(wanted.name, wanted);
  else await manager.streams.add(wanted);
}

/**
 * A durable whose filter or lease changed is refused by `add`, so it is updated. A server that knows no priorities gets
 * none: there who asked first is served first.
 */
export async function ensureConsumer(
  { manager, serverVersion }: Pick<Bus, 'manager' | 'serverVersion'>,
  stream: string,
  { priority_groups: groups, priority_policy: policy, ...plain }: Partial<ConsumerConfig>,
): Promise<void> {
  const hasPriorities = groups && policy && isAtLeast(serverVersion, oldestWithPriorities);
  const wanted = hasPriorities ? { ...plain, priority_groups: groups, priority_policy: policy } : plain;
  const exists = await manager.consumers.info(stream, wanted.durable_name!).then(
    () => true,
    () => false,
  );
  if (exists) await manager.consumers.update(stream, wanted.durable_name!, wanted);
  else await manager.consumers.add(stream, wanted);
}
