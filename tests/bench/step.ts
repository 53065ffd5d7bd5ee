import { headers } from '@nats-io/nats-core';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v4 } from 'uuid';
import { connect } from '../../bus/connect.ts';
import type { Delivery } from '../../bus/delivery.ts';
import { openJournals } from '../../bus/journal.ts';
import { openLog } from '../../bus/log.ts';
import { startServer } from '../../bus/nats-server.ts';
import { openShell } from '../../bus/serve.ts';
import { EVERYTHING, serverBinary } from '../../bus/server-fixture.ts';
import { openSigner, openVerifier } from '../../bus/signature.ts';
import { ensureStreams } from '../../bus/streams.ts';
import { loadCredentials } from '../../bus/credentials.ts';
import { message } from '../../schemas/envelope.ts';
import type { Service } from '../../schemas/service.ts';
import { exampleEvent } from '../../schemas/examples.ts';
import { noRoute, evolve, decide, outbox, type Route } from '../../router/route.ts';

/**
 * What one handled step costs (fold, decide, append, relay, acknowledge), as a ratio to the bare append that it stands
 * on, side by side in one run: `node tests/bench/step.ts [rounds]`. Each round decides one route: the smallest real step.
 */
const rounds = Number(process.argv[2] ?? 500);

for (const durability of ['process', 'power'] as const) {
  const state = await mkdtemp(join(tmpdir(), 'switchyard-bench-'));
  const server = await startServer({
    binary: await serverBinary(),
    stateDirectory: state,
    name: 'bench',
    durability,
    users: [EVERYTHING],
  });
  const bus = await connect(server.url, 'bench', { user: EVERYTHING.name, password: EVERYTHING.password });
  await ensureStreams(bus, 'yard', ['default'], 6000);
  const keys = await loadCredentials(state, ['router']);
  const log = openLog('bench', 'silent');
  const signing = {
    sign: openSigner(keys['router']!.privateKey),
    verify: openVerifier({ router: keys['router']!.publicKey }),
  };
  const facts = {
    models: {
      any: {
        model: 'any',
        pool: 'default',
        backend: 'openai',
        contextTokens: 100_000,
        maxTokens: 1000,
        timeoutMs: 1000,
        inputMicroDollars: 0,
        outputMicroDollars: 0,
        tags: [],
      },
    },
    preferred: ['any'],
    rules: [],
    livePools: ['default'],
  };
  const service: Service<Route> = {
    role: 'router',
    entity: 'route',
    initial: noRoute,
    evolve,
    decide,
    outbox,
    openIntent: () => undefined,
    isOver: () => false,
    gather: async () => facts,
  };
  const journalOptions = { bus, namespace: 'yard', log, ...signing };
  const journals = openJournals({ ...journalOptions, initial: noRoute, evolve });
  const dead = {
    bus,
    namespace: 'yard',
    role: 'router' as const,
    process: 'bench',
    journals: openJournals({ ...journalOptions, initial: 0, evolve: (count: number) => count + 1 }),
  };
  const shell = openShell({
    bus,
    namespace: 'yard',
    service,
    process: 'router.bench',
    leaseMs: 6000,
    journals,
    journalOptions,
    dead,
    lease: { hold() {}, release() {}, async stop() {} },
    log,
  });

  const work = (exampleEvent('work.route').data as { work: { runId: string } }).work;
  const deliveries = Array.from({ length: rounds }, (_, place): Delivery => {
    const taskId = v4();
    const lineage = { taskId, correlationId: taskId, causationId: v4(), hop: 0, cyclesLeft: 2 };
    const event = message('work.route', v4(), 'manager', 'router', lineage, Date.now(), {
      work: { ...work, runId: v4() },
    } as never);
    return {
      subject: `yard.inbox.role.router.${taskId}`,
      headers: [['Content-Type', 'application/cloudevents+json']],
      body: Buffer.from(JSON.stringify(event)),
      stream: 'YARD_INBOX',
      sequence: place + 1,
      deliveries: 1,
      atMs: Date.now(),
      token: 'none',
      acknowledge() {},
      putBack() {
        throw new Error('a step was put back');
      },
      giveUp() {
        throw new Error('a step was given up');
      },
      leave() {
        throw new Error('a step was left');
      },
    };
  });
  const body = Buffer.alloc(2500, 'x');
  const appendOne = async (place: number) => {
    const header = headers();
    await bus.jetstream.publish(`yard.event.${v4()}.route.bare${place}`, body, {
      msgID: v4(),
      expect: { lastSubjectSequence: 0 },
      headers: header,
    });
  };
  const bare: number[] = [];
  const step: number[] = [];
  // In turn, so that a machine whose speed drifts treats both alike.
  for (let place = 0; place < rounds; place += 1) {
    let from = performance.now();
    await appendOne(place);
    bare.push(performance.now() - from);
    from = performance.now();
    await shell.handle(deliveries[place]!);
    step.push(performance.now() - from);
  }
  const median = (list: number[]) => list.toSorted((one, other) => one - other)[Math.floor(list.length / 2)]!;
  console.log(
    JSON.stringify({
      durability,
      rounds,
      bareAppendMs: +median(bare).toFixed(3),
      handledStepMs: +median(step).toFixed(3),
      ratio: +(median(step) / median(bare)).toFixed(2),
    }),
  );
  await bus.connection.close();
  await server.stop();
  await rm(state, { recursive: true });
}
