import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Role } from '../schemas/row.ts';
import type { Service } from '../schemas/service.ts';
import { holderSubject } from '../schemas/subject.ts';
import { telemetry } from '../schemas/telemetry.ts';
import { connect, type Bus, type Credentials } from './connect.ts';
import { openCrashes, reportSilence } from './crash.ts';
import { openDelivery, type Custody, type Intake } from './delivery.ts';
import { answerProbes } from './holder.ts';
import { openJournals } from './journal.ts';
import { openLease } from './lease.ts';
import { openLog, type Log } from './log.ts';
import { openObserved } from './observed.ts';
import { gaugesOf } from './measure.ts';
import { openMicro, type Endpoint } from './micro.ts';
import { openOwnLoad } from './own-load.ts';
import { heartbeatMs, openRegistry, type Heartbeat, type Registry, type ServedModel } from './registry.ts';
import { openShell } from './serve.ts';
import { openSigner, openVerifier, type PublicKeys } from './signature.ts';
import { inboxConsumers } from './streams.ts';
import { openSweep } from './sweep.ts';

/** What a process needs to join a mesh. */
export interface Membership {
  url: string;
  meshName: string;
  namespace: string;
  credentials?: Credentials;
  /** PEM. Absent on a broker of which we have no keys: then nothing is signed or checked. */
  privateKey?: string;
  publicKeys?: PublicKeys;
  leaseMs: number;
  sweepMs: number;
  version: string;
  /** The least severe lines that are logged. */
  logLevel?: string;
}

export interface Joined {
  bus: Bus;
  log: Log;
  process: string;
  registry: Registry;
}

/** Connects a role's process and opens what its service may need before it serves. */
export async function join(membership: Membership, role: Role, watchesRegistry: boolean): Promise<Joined> {
  const process = `${role}.${randomBytes(4).toString('hex')}`;
  const log = openLog(process, membership.logLevel);
  const bus = await connect(membership.url, process, membership.credentials, 10_000);
  const registry = await openRegistry(bus, membership.namespace, watchesRegistry);
  return { bus, log, process, registry };
}

export interface Serving<State> {
  service: Service<State>;
  intakes: Intake[];
  pools?: string[];
  tags?: string[];
  /** Asked at every heartbeat. */
  models?(): ServedModel[];
  /** Endpoints beside the inbox, such as the manager's `tasks.submit`. */
  endpoints?: Endpoint[];
  /** Called when the process stops, after its last message. */
  close?(): Promise<void>;
}

/** What a process reads, checks and signs journals with. */
export function journalOptionsOf(membership: Membership, { bus, log }: Pick<Joined, 'bus' | 'log'>) {
  return {
    bus,
    log,
    namespace: membership.namespace,
    ...(membership.publicKeys ? { verify: openVerifier(membership.publicKeys) } : {}),
    ...(membership.privateKey ? { sign: openSigner(membership.privateKey) } : {}),
  };
}

/** How long a process that is told to stop waits for what it has in hand; the rest is given back. */
const drainMs = 8000;
/** The same where the launcher is gone. */
const orphanMs = 2000;
/** The same for a broker that does not answer. */
const awayMs = 3000;

/** Serves a role until SIGTERM or SIGINT, then drains. One shell for every role. */
export async function serve<State>(
  membership: Membership,
  joined: Joined,
  serving: Serving<State>,
): Promise<void> {
  const { bus, log, registry } = joined;
  const { namespace } = membership;
  const { service } = serving;
  const journalOptions = journalOptionsOf(membership, joined);
  const journals = openJournals({ ...journalOptions, initial: service.initial, evolve: service.evolve });
  const lease = openLease(membership.url, joined.process, membership.credentials, membership.leaseMs, log);
  const dead = {
    bus,
    namespace,
    role: service.role,
    process: joined.process,
    journals: openJournals({ ...journalOptions, initial: 0, evolve: (count: number) => count + 1 }),
  };
  const who = {
    role: service.role,
    process: joined.process,
    mesh: membership.meshName,
    version: membership.version,
  };
  const closeObserved = await openObserved({ ...journalOptions, who });
  const crashes = openCrashes(journalOptions, service.role, joined.process);
  const shell = openShell({
    bus,
    namespace,
    service,
    process: joined.process,
    leaseMs: membership.leaseMs,
    journals,
    journalOptions,
    dead,
    lease,
    log,
    crashes,
  });
  answerProbes(bus, namespace, joined.process, shell.isActing);
  await bus.connection.flush();

  // A broker that comes back may have lost its tail, or be another: what was folded is read again.
  void (async () => {
    for await (const status of bus.connection.status()) if (status.type === 'reconnect') journals.forgetAll();
  })();

  const consumers = inboxConsumers(namespace, serving.pools ?? [], membership.leaseMs);
  const delivery = openDelivery(
    bus,
    namespace,
    serving.intakes,
    openCustody(holderSubject(namespace, joined.process)),
    log,
    shell.handle,
    consumers,
  );
  const startedAtMs = Date.now();
  const ownLoad = openOwnLoad();
  const heartbeat = (): Heartbeat => ({
    role: service.role,
    process: joined.process,
    version: membership.version,
    pools: serving.pools ?? [],
    tags: serving.tags ?? [],
    ...delivery.load(),
    ...(serving.models ? { models: serving.models() } : {}),
    ...ownLoad(),
  });
  let beat = heartbeat();
  const announce = () =>
    registry
      .announce((beat = heartbeat()))
      .catch((error) => log.debug({ error }, 'the registry was not reached'));
  await announce();
  const beating = setInterval(() => void announce(), heartbeatMs);
  telemetry().gauges(() => gaugesOf(beat));
  // One kind of process watches, so that a death is not asked about by all at once.
  const closeSilence =
    service.role === 'manager' ? reportSilence(registry, crashes, joined.process) : () => {};
  const micro = await openMicro(membership, joined, service.role, serving.endpoints ?? []);

  const sweeper = openSweep({ ...journalOptions, service, journals, quietMs: membership.sweepMs });
  // Spread, so that the processes of a role do not all sweep at once.
  let isSweeping = false;
  const sweepOnce = async () => {
    if (isSweeping) return;
    isSweeping = true;
    await sweeper.sweep().catch((error) => log.debug({ error }, 'the sweep was cut short'));
    isSweeping = false;
  };
  const sweeping = setInterval(
    () => void sweepOnce(),
    membership.sweepMs * (0.8 + (0.4 * (startedAtMs % 100)) / 100),
  );
  log.info({ slots: beat.slots, pools: serving.pools }, `${service.role} serves`);
  process.send?.({ isReady: true, process: joined.process });

  await new Promise<void>((resolve) => {
    // Told again, as by a service manager that tells every process of ours, it is not to end in the middle.
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
    // A launcher that is gone takes its processes with it.
    process.once('disconnect', () => {
      // Its broker mostly goes with it, and then nothing can be given back: what is in hand comes again after its lease.
      setTimeout(() => process.exit(1), orphanMs).unref();
      resolve();
    });
    void bus.connection.closed().then(() => resolve());
  });
  log.info({}, `${service.role} stops taking work and ends what it has in hand`);
  clearInterval(beating);
  clearInterval(sweeping);
  closeSilence();
  void goneWith(bus.connection).then(() => process.exit(0));
  await micro.stop().catch(() => {});
  await Promise.race([delivery.stop(), new Promise((resolve) => setTimeout(resolve, drainMs))]);
  await serving.close?.();
  await registry.withdraw(joined.process).catch(() => {});
  closeObserved();
  registry.stop();
  await lease.stop();
  // A broker that went as well leaves nothing to drain, and that is no error of ours.
  const drained = bus.connection.drain().catch(() => {});
  await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, 1000))]);
  process.exit(0);
}

/** Resolves when the broker has gone too, as when a machine shuts down: nothing can be given back to it. */
async function goneWith(connection: NatsConnection): Promise<void> {
  for (let answeredAtMs = Date.now(); Date.now() - answeredAtMs < awayMs;) {
    const answers = connection.flush().then(
      () => void (answeredAtMs = Date.now()),
      () => {},
    );
    await Promise.race([answers, sleep(awayMs)]);
    await sleep(200);
  }
}

/**
 * A launcher hands its child a pipe and is told where the child answers probes, and of every message taken and released;
 * when it sees the child exit, it gives back at once what the child still held.
 */
function openCustody(answersOn: string): Custody {
  if (process.env['SWITCHYARD_CUSTODY'] === undefined) return { take() {}, release() {} };
  const pipe = Number(process.env['SWITCHYARD_CUSTODY']);
  // Synchronous, so that a process which is killed at the next instruction has already said what it holds.
  const say = (line: string) => {
    try {
      writeSync(pipe, line);
    } catch {
      // A launcher that is gone gives nothing back; the lease does.
    }
  };
  say(`=${answersOn}\n`);
  return { take: (token) => say(`+${token}\n`), release: (token) => say(`-${token}\n`) };
}
