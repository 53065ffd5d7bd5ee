import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../bus/connect.ts';
import { loadCredentials, readPublicKeys } from '../../bus/credentials.ts';
import { startServer } from '../../bus/nats-server.ts';
import { beginning, openRecord } from '../../bus/record.ts';
import { EVERYTHING, serverBinary } from '../../bus/server-fixture.ts';
import { ensureStreams } from '../../bus/streams.ts';
import { openReadModel } from '../../observability/observer/read-model.ts';
import { roles } from '../../schemas/row.ts';
import { append, entriesOfTask, eventsOfTask, signersOf } from '../synthetic-record.ts';

/**
 * How many events a second are projected into the read model, side by side with a bare read of the same stream:
 * `node tests/bench/project.ts [events] [rounds]`. With and without the check of each entry's signature, which is the
 * larger part and takes all processors that there are.
 */
const wanted = Number(process.argv[2] ?? 40_000);
const rounds = Number(process.argv[3] ?? 3);
const steps = 20;
const namespace = 'yard';

const state = await mkdtemp(join(tmpdir(), 'switchyard-bench-'));
const server = await startServer({
  binary: await serverBinary(),
  stateDirectory: state,
  name: 'bench',
  durability: 'process',
  users: [EVERYTHING],
});
const bus = await connect(server.url, 'bench', { user: EVERYTHING.name, password: EVERYTHING.password });
await ensureStreams(bus, namespace, ['local'], 6000);
const signers = signersOf(await loadCredentials(state, [...roles]));
const publicKeys = await readPublicKeys(state);
const tasks = Math.ceil(wanted / eventsOfTask(steps));
let bytes = 0;
for (let number = 0; number < tasks; number += 1) {
  const entries = entriesOfTask(namespace, signers, number, steps);
  for (const { body } of entries) bytes += body.length;
  await append(bus, entries);
}
const events = tasks * eventsOfTask(steps);

/** Reads the whole stream and does nothing with it. */
async function read(): Promise<void> {
  let next = 1;
  while (next <= events) {
    const batch = { seq: next, batch: 1000, max_bytes: 4 * 1024 * 1024 };
    for await (const one of await bus.manager.direct.getBatch('YARD_EVENTS', batch)) next = one.seq + 1;
  }
}

async function project(isChecked: boolean, round: number): Promise<void> {
  const record = openRecord(bus, namespace, isChecked ? publicKeys : undefined);
  const model = openReadModel(join(state, `${isChecked}-${round}.sqlite`), namespace);
  try {
    for await (const batch of record.readAfter(beginning)) {
      if (batch === 'other') throw new Error('the record changed');
      model.take(batch.entries);
    }
    const { sequence, notBelieved } = model.progress();
    if (sequence !== events || notBelieved !== 0) throw new Error('not everything was projected');
  } finally {
    model.close();
  }
}

async function perSecond(work: () => Promise<void>): Promise<number> {
  const from = performance.now();
  await work();
  return Math.round(events / ((performance.now() - from) / 1000));
}
const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const found = { bareRead: [] as number[], projected: [] as number[], projectedAndChecked: [] as number[] };
// One after the other in each round, so that what the machine does besides falls on all of them.
for (let round = 0; round < rounds; round += 1) {
  found.bareRead.push(await perSecond(read));
  found.projected.push(await perSecond(() => project(false, round)));
  found.projectedAndChecked.push(await perSecond(() => project(true, round)));
}
const [bareRead, projected, projectedAndChecked] = [
  median(found.bareRead),
  median(found.projected),
  median(found.projectedAndChecked),
];
console.log(
  JSON.stringify({
    events,
    meanBytes: Math.round(bytes / events),
    processors: availableParallelism(),
    eventsPerSecond: { bareRead, projected, projectedAndChecked },
    ratioToBareRead: {
      projected: +(projected / bareRead).toFixed(2),
      projectedAndChecked: +(projectedAndChecked / bareRead).toFixed(2),
    },
  }),
);
await bus.connection.close();
await server.stop();
await rm(state, { recursive: true, force: true });
