import { Kvm, type KV } from '@nats-io/kv';
import type { MsgHdrs } from '@nats-io/nats-core';
import { registryBucket } from '../schemas/permissions.ts';
import type { Bus } from './connect.ts';

/** A model that a process serves, and how busy it is with it. */
export interface ServedModel {
  name: string;
  pool: string;
  backend: string;
  /** Such as `Q4_K_M`. */
  quantisation?: string;
  contextTokens: number;
  maxTokens: number;
  /** Given where they are not what the backend declares. */
  capabilities?: string[];
  tags: string[];
  /** How long one call may take. */
  timeoutMs?: number;
  /** Replies it writes at a time; models of one pool share them. */
  slots: number;
  freeSlots: number;
  /** Calls taken that wait for a free slot inside the process. */
  queued?: number;
  /** Of one reply, over those of the last minute; absent where there was none. */
  tokensPerSecond?: number;
  /** Of all its replies together, in the last seconds; for who can tell while they are written. */
  outputTokensPerSecond?: number;
  memoryBytes?: number;
  gpuMemoryBytes?: number;
  /** Percent. */
  gpuUtilisation?: number;
  threads?: number;
}

/** What a process says of itself, every two seconds; a process that stops saying it leaves the registry. */
export interface Heartbeat {
  role: string;
  /** `<role>.<random>`; one start of one process. */
  process: string;
  host: string;
  pid: number;
  version: string;
  /** Pools it serves, for inference. */
  pools: string[];
  /** What it can do, such as `model:NAME` or `sandbox:bubblewrap`. */
  tags: string[];
  /** Tasks or calls that it works at at once; timers, new requests and calls off need none of them. */
  slots: number;
  busySlots: number;
  memoryBytes: number;
  /** Of one processor since the last heartbeat; over 100 where several are busy. */
  cpuPercent?: number;
  threads: number;
  /** For who answers model calls. */
  models?: ServedModel[];
  startedAtMs: number;
  atMs: number;
}

export const heartbeatMs = 2000;

/** Who is alive. */
export interface Registry {
  announce(heartbeat: Heartbeat): Promise<void>;
  withdraw(process: string): Promise<void>;
  /** Everyone who was heard of within the registry's time. */
  living(): Heartbeat[];
  /** Once what was said before it opened is read, so that `living` is whole; after a second in any case. */
  known(): Promise<void>;
  /** Those who stopped saying it without a farewell, each once; only for who watches. */
  silent(): Heartbeat[];
  stop(): void;
}

/** Silence after which a process no longer counts as alive, whatever the bucket still says. */
const silenceMs = 6000;

/** How long who opens the registry may wait for what was said before. */
const knownWithinMs = 1000;

/** Opens the registry; `watches` keeps an eye on the others, for those who decide by it. */
export async function openRegistry(bus: Bus, namespace: string, watches: boolean): Promise<Registry> {
  const bucket: KV = await new Kvm(bus.jetstream).open(registryBucket(namespace));
  const seen = new Map<string, Heartbeat & { heardAtMs: number }>();
  let stop = () => {};
  let known = Promise.resolve();
  if (watches) {
    const watch = await bucket.watch();
    stop = () => watch.stop();
    let isRead = () => {};
    known = new Promise((resolve) => {
      isRead = resolve;
      // Where nobody is there yet, no entry says that it is the last.
      setTimeout(resolve, knownWithinMs).unref();
    });
    void (async () => {
      for await (const entry of watch) {
        if (entry.operation === 'PUT') {
          const heartbeat = heartbeatOf(entry);
          // By our own clock, so that another host's clock does not make a living process look dead.
          const heardAtMs = entry.isUpdate ? Date.now() : Math.min(Date.now(), entry.created.getTime());
          if (heartbeat) seen.set(entry.key, { ...heartbeat, heardAtMs });
        } else seen.delete(entry.key);
        if (entry.delta === 0) isRead();
      }
    })();
  }
  return {
    async announce(heartbeat) {
      await bucket.put(heartbeat.process, JSON.stringify(heartbeat));
    },
    async withdraw(process) {
      await bucket.delete(process);
    },
    living: () => heardLately(seen),
    known: () => known,
    silent() {
      const gone = [...seen.values()].filter((one) => Date.now() - one.heardAtMs >= silenceMs);
      for (const { process } of gone) seen.delete(process);
      return gone.map(({ heardAtMs: _, ...heartbeat }) => heartbeat);
    },
    stop: () => stop(),
  };
}

/**
 * Follows the registry without a consumer, for who may make none: what was said last, then all that is said. A server
 * that cannot tell what was said last leaves it to the next heartbeats.
 */
export async function followRegistry(
  bus: Bus,
  namespace: string,
): Promise<Pick<Registry, 'living' | 'stop'>> {
  const bucket = registryBucket(namespace);
  const head = `$KV.${bucket}.`;
  const seen = new Map<string, Heartbeat & { heardAtMs: number }>();
  const read = (message: { subject: string; json<T>(): T }, isGone: boolean, heardAtMs: number) => {
    const key = message.subject.slice(head.length);
    const heartbeat = isGone ? undefined : heartbeatOf({ key, json: () => message.json() });
    if (heartbeat) seen.set(key, { ...heartbeat, heardAtMs });
    else seen.delete(key);
  };
  const isGone = (headers: MsgHdrs | undefined) => Boolean(headers?.get('KV-Operation'));
  const heard = new Set<string>();
  const subscription = bus.connection.subscribe(`${head}>`, {
    callback: (error, message) => {
      if (error) return;
      heard.add(message.subject);
      read(message, isGone(message.headers), Date.now());
    },
  });
  if (bus.hasBatchGet) {
    try {
      const query = { multi_last: [`${head}>`] };
      for await (const one of await bus.manager.direct.getLastMessagesFor(`KV_${bucket}`, query))
        if (!heard.has(one.subject)) read(one, isGone(one.header), Math.min(Date.now(), one.time.getTime()));
    } catch (error) {
      if (!(error instanceof Error && /not found|no messages|no results/i.test(error.message))) throw error;
    }
  }
  heard.clear();
  return { living: () => heardLately(seen), stop: () => subscription.unsubscribe() };
}

function heardLately(seen: Map<string, Heartbeat & { heardAtMs: number }>): Heartbeat[] {
  return [...seen.values()]
    .filter((one) => Date.now() - one.heardAtMs < silenceMs)
    .map(({ heardAtMs: _, ...heartbeat }) => heartbeat);
}

/** A heartbeat that is none must not take down who listens; the broker lets a role write under its own name only. */
function heartbeatOf(entry: { key: string; json<T>(): T }): Heartbeat | undefined {
  try {
    const heartbeat = entry.json<Heartbeat>();
    if (!Array.isArray(heartbeat.pools) || heartbeat.role !== entry.key.split('.')[0]) return undefined;
    const { models, ...rest } = heartbeat;
    return Array.isArray(models) ? { ...rest, models: models.filter(isServedModel) } : rest;
  } catch {
    return undefined;
  }
}

function isServedModel(one: unknown): one is ServedModel {
  const { name, pool, backend, contextTokens, maxTokens, tags, slots, freeSlots } = (one ??
    {}) as Partial<ServedModel>;
  return (
    [name, pool, backend].every((text) => typeof text === 'string') &&
    [contextTokens, maxTokens, slots, freeSlots].every((count) => Number.isFinite(count)) &&
    Array.isArray(tags)
  );
}
