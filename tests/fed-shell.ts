import { v4 } from 'uuid';
import { coder } from '../agents/roles/coder.ts';
import { outbox } from '../agents/owed.ts';
import { decide, openIntent, takeOver } from '../agents/run.ts';
import { evolve, noRun, type Run } from '../agents/run-state.ts';
import { connect, type Bus } from '../bus/connect.ts';
import { deliveryOf, type Delivery } from '../bus/delivery.ts';
import { answerProbes } from '../bus/holder.ts';
import { openJournals, type Journals } from '../bus/journal.ts';
import { openLease, type Lease } from '../bus/lease.ts';
import { openLog } from '../bus/log.ts';
import { send } from '../bus/relay.ts';
import { openShell, type Shell } from '../bus/serve.ts';
import { EVERYTHING, startTestServer, type TestServer } from '../bus/server-fixture.ts';
import { ensureStreams } from '../bus/streams.ts';
import { openSweep } from '../bus/sweep.ts';
import type { Reply } from '../schemas/call.ts';
import type { DataOf, TypeName } from '../schemas/catalogue.ts';
import { deriveId, message, shortType, type Envelope } from '../schemas/envelope.ts';
import { examples } from '../schemas/examples.ts';
import type { Author } from '../schemas/row.ts';
import type { Outcome } from '../schemas/run.ts';
import type { ActContext, Service } from '../schemas/service.ts';
import { holderSubject, journalSubject, roleInbox, streamNames } from '../schemas/subject.ts';

const log = openLog('test', process.env['SWITCHYARD_LOG_LEVEL'] ?? 'silent');
const user = { user: EVERYTHING.name, password: EVERYTHING.password };

/**
 * Coders without hands, in this very process, each with a connection and a cache of its own. They take messages only
 * when they are told to, so that a test decides the order of everything. The broker, the shell and the run are real.
 */
export interface Bench {
  server: TestServer;
  bus: Bus;
  /** Fresh streams below a namespace of their own. */
  mesh(leaseMs?: number): Promise<BenchMesh>;
  close(): Promise<void>;
}

export interface BenchMesh {
  namespace: string;
  streams: ReturnType<typeof streamNames>;
  leaseMs: number;
  taskId: string;
  coder(hands?: Hands): Promise<FedCoder>;
  journalOf(runId: string): string;
  /** Puts a command into the coder's inbox, under a message id of its own unless it is given; gives its event. */
  command<Name extends TypeName>(
    type: Name,
    data: DataOf<Name>,
    id?: string,
    messageId?: string,
  ): Promise<Envelope>;
  startRun(runId?: string): Promise<string>;
  /** Answers a call of a run, the open one unless it is named, as inference would, and sends the answer home. */
  answer(runId: string, reply: Partial<Reply>, callId?: string): Promise<Envelope>;
  /** The call that a run waits for. */
  openCall(runId: string): Promise<string>;
  /** The events of a run as they stand, by short type. */
  record(runId: string): Promise<{ type: string; event: Envelope; sequence: number }[]>;
  /** Every message of the inbox stream that is still there. */
  inbox(): Promise<{ sequence: number; subject: string; type: string; event: Envelope }[]>;
  /** What the broker says of a consumer. */
  pending(consumer?: string): Promise<{ waiting: number; inHand: number; redelivered: number }>;
}

export interface Hands {
  act?(run: Run, context: ActContext): Promise<Outcome>;
  /** Runs before each decision that looks something up: a place to hold a process at. */
  gather?(run: Run): Promise<void>;
  effect?: 'idempotent' | 'queryable' | 'opaque';
}

export interface FedCoder {
  process: string;
  bus: Bus;
  shell: Shell;
  journals: Journals<Run>;
  lease: Lease;
  custody: Set<string>;
  /** Takes the next message; undefined where none comes. */
  take(consumer?: string, waitMs?: number): Promise<Delivery | undefined>;
  /** Takes the next message and handles it to its end. Throws where none comes. */
  handleNext(consumer?: string, waitMs?: number): Promise<Delivery>;
  sweep(): Promise<number>;
  /** To the others it looks stopped from now on: it answers no probe and keeps no lease. What it does itself still works. */
  freeze(): Promise<void>;
}

export async function openBench(): Promise<Bench> {
  const server = await startTestServer();
  const bus = await connect(server.url, 'bench', user);
  const closing: (() => Promise<unknown>)[] = [
    async () => server[Symbol.asyncDispose](),
    () => bus.connection.close(),
  ];
  let meshes = 0;
  return {
    server,
    bus,
    mesh: (leaseMs = 1000) => openMesh(server.url, bus, `b${(meshes += 1)}`, leaseMs, closing),
    async close() {
      for (const close of closing.splice(0).toReversed()) await close();
    },
  };
}

async function openMesh(
  url: string,
  bus: Bus,
  namespace: string,
  leaseMs: number,
  closing: (() => Promise<unknown>)[],
): Promise<BenchMesh> {
  const streams = streamNames(namespace);
  const taskId = v4();
  await ensureStreams(bus, namespace, ['local'], leaseMs);
  const journalOf = (runId: string) =>
    journalSubject(namespace, { entity: 'run', taskId, role: 'coder', id: runId });
  const lineage = { taskId, correlationId: taskId, causationId: taskId, hop: 0, cyclesLeft: 2 };
  const said = <Name extends TypeName>(type: Name, sender: Author, data: DataOf<Name>, id: string) =>
    message(type, id, sender, 'coder', lineage, Date.now(), data);

  async function command<Name extends TypeName>(
    type: Name,
    data: DataOf<Name>,
    id: string = v4(),
    messageId: string = v4(),
  ): Promise<Envelope> {
    const event = said(type, 'router', data, id);
    await send(bus, roleInbox(namespace, 'coder', taskId), event, messageId);
    return event;
  }

  async function readAll(stream: string, filter: string) {
    const info = await bus.manager.streams.info(stream);
    const found: { sequence: number; subject: string; event: Envelope; type: string }[] = [];
    for (let sequence = info.state.first_seq; sequence <= info.state.last_seq; sequence += 1) {
      const stored = await bus.manager.direct.getMessage(stream, { seq: sequence }).catch(() => null);
      if (!stored || !stored.subject.startsWith(filter)) continue;
      const event = stored.json<Envelope>();
      found.push({ sequence, subject: stored.subject, event, type: shortType(event.type) });
    }
    return found;
  }

  const mesh: BenchMesh = {
    namespace,
    streams,
    leaseMs,
    taskId,
    journalOf,
    command,
    async startRun(runId = v4()) {
      const { choices, work } = examples['run.start'];
      await command('run.start', {
        choices: [...choices, ...choices],
        work: { ...work, runId, test: undefined },
      });
      return runId;
    },
    async answer(runId, reply, wanted) {
      const callId = wanted ?? (await mesh.openCall(runId));
      const journal = journalSubject(namespace, { entity: 'call', taskId, id: callId });
      const example = examples['call.completed'];
      const whole = { ...(example.reply as Reply), toolCalls: [], ...reply };
      const event = said('call.completed', 'inference', { ...example, callId, runId, reply: whole }, v4());
      const { seq } = await bus.jetstream.publish(journal, JSON.stringify(event));
      return command('call.answered', { journal, sequence: seq, runId }, deriveId(journal, 'home'));
    },
    async openCall(runId) {
      const record = await mesh.record(runId);
      return (record.at(-1)!.event.data as { opens: { callId: string } }).opens.callId;
    },
    record: (runId) => readAll(streams.events, journalOf(runId)),
    inbox: () => readAll(streams.inbox, ''),
    async pending(consumer = 'role-coder') {
      const info = await bus.manager.consumers.info(streams.inbox, consumer);
      return { waiting: info.num_pending, inHand: info.num_ack_pending, redelivered: info.num_redelivered };
    },
    coder: (hands = {}) => openCoder(url, mesh, hands, closing),
  };
  return mesh;
}

async function openCoder(
  url: string,
  mesh: BenchMesh,
  hands: Hands,
  closing: (() => Promise<unknown>)[],
): Promise<FedCoder> {
  const { namespace, leaseMs } = mesh;
  const name = `coder.${v4().slice(0, 8)}`;
  const bus = await connect(url, name, user);
  const lease = openLease(url, name, user, leaseMs, log);
  closing.push(
    () => bus.connection.close(),
    () => lease.stop(),
  );
  const service: Service<Run> = {
    role: 'coder',
    entity: 'run',
    initial: noRun,
    evolve,
    decide: (run, input) => decide(coder, run, input),
    outbox: (run) => outbox(coder, [], run),
    openIntent,
    takeOver: (run, input) => takeOver(coder, run, input),
    isOver: (run) => run.phase === 'concluded',
    async gather(run) {
      await hands.gather?.(run);
      const effect = hands.effect ?? 'idempotent';
      return { effects: { prepare: effect, 'edit-file': effect, 'write-file': effect } };
    },
    act: async (run, _whole, context) =>
      (await hands.act?.(run, context)) ?? { status: 'ok', output: 'done' },
    // Branches are followed by hands, and there are none here.
    follow: async () => {},
  };
  const journalOptions = { bus, namespace, log };
  const journals = openJournals({ ...journalOptions, initial: noRun, evolve });
  const dead = {
    bus,
    namespace,
    role: service.role,
    process: name,
    journals: openJournals({ ...journalOptions, initial: 0, evolve: (count: number) => count + 1 }),
  };
  const shell = openShell({
    bus,
    namespace,
    service,
    process: name,
    leaseMs,
    journals,
    journalOptions,
    dead,
    lease,
    log,
  });
  const probes = answerProbes(bus, namespace, name, shell.isActing);
  await bus.connection.flush();
  const sweeper = openSweep({ bus, namespace, service, journals, log, quietMs: 0 });
  const custody = new Set<string>();
  const take = async (consumer = 'role-coder', waitMs = 3000) => {
    const taker = await bus.jetstream.consumers.get(mesh.streams.inbox, consumer);
    const taken = await taker.next({ expires: Math.max(1000, waitMs) });
    if (!taken) return undefined;
    return deliveryOf(taken, mesh.streams.inbox, {
      take: (token) => custody.add(token),
      release: (token) => custody.delete(token),
    });
  };
  return {
    process: name,
    bus,
    shell,
    journals,
    lease,
    custody,
    take,
    async handleNext(consumer, waitMs) {
      const delivery = await take(consumer, waitMs);
      if (!delivery) throw new Error(`no message came to ${name}`);
      await shell.handle(delivery);
      return delivery;
    },
    sweep: () => sweeper.sweep(),
    async freeze() {
      // Somebody listens, so that it does not count as gone, and nobody answers.
      bus.connection.subscribe(holderSubject(namespace, name), { callback: () => {} });
      probes.unsubscribe();
      await lease.stop();
      await bus.connection.flush();
    },
  };
}

/** A gate that an act can be held at. */
export function gate(): { reached: Promise<void>; open(): void; pass(): Promise<void> } {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  return {
    reached: reached.promise,
    open: () => opened.resolve(),
    async pass() {
      reached.resolve();
      await opened.promise;
    },
  };
}
