import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../bus/connect.ts';
import { loadCredentials, readPublicKeys } from '../../bus/credentials.ts';
import { startServer } from '../../bus/nats-server.ts';
import { beginning, openRecord } from '../../bus/record.ts';
import { EVERYTHING, serverBinary } from '../../bus/server-fixture.ts';
import type { PublicKeys } from '../../bus/signature.ts';
import { ensureStreams } from '../../bus/streams.ts';
import { openReadModel } from '../../observability/observer/read-model.ts';
import { roles } from '../../schemas/row.ts';
import { append, entriesOfTask, eventsOfTask, signersOf } from '../synthetic-record.ts';

/**
 * How many events a second are projected into the read model, side by side with a bare read of the same stream:
 * `node tests/bench/project.ts [events] [rounds]`. Without the check of each entry's signature, and with it.
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

let models = 0;
async function project(keys?: PublicKeys): Promise<void> {
  const record = openRecord(bus, namespace, keys);
  const model = openReadModel(join(state, `model-${(models += 1)}.sqlite`), namespace);
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

/** Microseconds an event: by the clock, and of processors; the latter tell also where others keep those busy. */
interface Cost {
  clock: number;
  processors: number;
  mainThread: number;
}

async function costOf(work: () => Promise<void>): Promise<Cost> {
  const [atMs, process_, thread] = [performance.now(), process.cpuUsage(), process.threadCpuUsage()];
  await work();
  const clock = (performance.now() - atMs) * 1000;
  const sum = ({ user, system }: NodeJS.CpuUsage) => user + system;
  return {
    clock: clock / events,
    processors: sum(process.cpuUsage(process_)) / events,
    mainThread: sum(process.threadCpuUsage(thread)) / events,
  };
}
const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const works = {
  bareRead: read,
  unchecked: () => project(),
  checked: () => project(publicKeys),
};
const found = Object.entries(works).map(([name, work]) => ({ name, work, costs: [] as Cost[] }));
// One after the other in each round, so that what the machine does besides falls on all of them.
for (let round = 0; round < rounds; round += 1)
  for (const { work, costs } of found) costs.push(await costOf(work));
const bareClock = median(found[0]!.costs.map(({ clock }) => clock));
const table = found.map(({ name, costs }) => {
  const [clock, processors, mainThread] = (['clock', 'processors', 'mainThread'] as const).map((part) =>
    median(costs.map((one) => one[part])),
  ) as [number, number, number];
  return {
    name,
    eventsPerSecond: Math.round(1e6 / clock),
    ofBareRead: +(bareClock / clock).toFixed(2),
    processorMicroseconds: Math.round(processors),
    ofMainThread: Math.round(mainThread),
  };
});
console.table(table);
console.log(`${events} events of ${Math.round(bytes / events)} bytes, ${availableParallelism()} processors`);
await bus.connection.close();
await server.stop();
await rm(state, { recursive: true, force: true });
