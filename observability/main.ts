import { join } from 'node:path';
import { setPriority } from 'node:os';
import { askLauncher } from '../bus/ask-launcher.ts';
import { membershipOf } from '../bus/membership.ts';
import { openObserved } from '../bus/observed.ts';
import { openObserver } from '../bus/observer.ts';
import { openRecord } from '../bus/record.ts';
import { openVerifier } from '../bus/signature.ts';
import { readModelFile } from '../config/read-model-file.ts';
import { checkoutRoot, observerDirectory } from '../config/state.ts';
import { processSettings } from '../config/membership.ts';
import {
  answerAgents,
  answerDead,
  answerEvents,
  answerMesh,
  answerTask,
  answerTasks,
  answerTotals,
} from './observer/answers.ts';
import { measureQueues } from './observer/queue-metrics.ts';
import { endpointsOf } from './observer/endpoints.ts';
import { followRecord } from './observer/follow.ts';
import { openPage } from './observer/page-server.ts';
import { openReadModel } from './observer/read-model.ts';
import { openSessions } from './observer/sessions.ts';
import { exportSpans } from './observer/span-export.ts';
import { openSinks } from './observer/span-sink.ts';

/** Whoever looks on waits for those who work. */
const politeness = 5;
const sweepMs = 30_000;
const takenMs = 2000;
const drainMs = 3000;

const settings = processSettings(process.argv, process.env);
const { config, stateDirectory } = settings;
const { namespace } = config.mesh;
setPriority(politeness);
const membership = await membershipOf(settings, 'observer');
const observer = await openObserver(membership);
const { log } = observer;
const model = openReadModel(readModelFile(stateDirectory), namespace);
const { publicKeys } = membership;
const record = openRecord(observer.bus, namespace, publicKeys);

const closeObserved = await openObserved({
  bus: observer.bus,
  namespace,
  log,
  ...(publicKeys ? { verify: openVerifier(publicKeys) } : {}),
  who: {
    role: 'observer',
    process: observer.process,
    mesh: config.mesh.name,
    version: settings.version,
  },
});
measureQueues(observer.queues);

const ending = new AbortController();
const following = followRecord(model, record, log, ending.signal);
following.done.catch((error: unknown) => {
  // Without it every answer would be of yesterday; a fresh process begins where this one stands.
  log.fatal({ error }, 'the record is not followed any more');
  process.exit(1);
});
// Before anything is answered: whoever got an answer may ask for it.
process.on('SIGHUP', () => {
  log.info({}, 'the read model is built anew, as asked');
  model.beginAnew();
  following.hint();
});

const sinks = await openSinks({
  environment: process.env,
  file: join(observerDirectory(stateDirectory), 'spans.jsonl'),
  version: settings.version,
  mesh: config.mesh.name,
});
const drained = new AbortController();
const cut = new AbortController();
const exporting = exportSpans({
  model,
  namespace,
  sinks,
  positionFolder: observerDirectory(stateDirectory),
  log,
  living: observer.living,
  drained: drained.signal,
  signal: cut.signal,
});

await observer.serve(
  endpointsOf(namespace, {
    tasks: (request) => answerTasks(model, request),
    task: (request) => answerTask(model, request),
    events: (request) => answerEvents(model, request),
    agents: async () => answerAgents(model, observer.living(), await observer.queues()),
    totals: () => answerTotals(model),
    dead: (request) => answerDead(model, request),
    mesh: (request) => answerMesh(model, request),
  }),
);

const pagePort = Number(flag('--page-port') ?? 0);
const socketPort = Number(flag('--socket-port') ?? 0);
if (pagePort > 0 && socketPort > 0) await openDashboard();

async function openDashboard(): Promise<void> {
  const sessions = openSessions({
    file: join(observerDirectory(stateDirectory), 'sessions.json'),
    linkSecret: membership.credentials?.password ?? '',
    nowMs: Date.now,
    letIn: async (users) => void (await askLauncher({ letIn: users })),
  });
  await sessions.restore();
  const sweeping = setInterval(
    () => void sessions.sweep().catch((error: unknown) => log.warn({ error }, 'sessions were not ended')),
    sweepMs,
  );
  const options = {
    port: pagePort,
    listen: flag('--page-listen'),
    folder: join(checkoutRoot, 'observability/dashboard/dist'),
    sessions,
    socketUrl: () => `ws://127.0.0.1:${socketPort}`,
    namespace,
    mesh: config.mesh.name,
    log,
  };
  let page = await openPage(options).catch(laterIfTaken);
  ending.signal.addEventListener('abort', () => {
    clearInterval(sweeping);
    page?.close();
    page?.closeAllConnections();
  });

  /** Somebody else took the port since it was chosen: questions are answered all the same. */
  function laterIfTaken(error: unknown): undefined {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    log.error({ port: pagePort }, 'the port of the page is taken; it is served as soon as that is free');
    setTimeout(() => {
      void openPage(options)
        .catch(laterIfTaken)
        .then((opened) => (page = opened));
    }, takenMs).unref();
    return undefined;
  }
}

log.info({ position: model.progress().sequence }, 'the observer serves');
process.send?.({ isReady: true, process: observer.process });

await new Promise<void>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.on(signal, () => resolve());
  void observer.bus.connection.closed().then(() => resolve());
});
if (sinks.length > 0) await drain();
ending.abort();
cut.abort();
await exporting;
closeObserved();
await following.done;
model.close();
await observer.stop();
process.exit(0);

/** What stands in the record is taken and sent, as far as that is soon done; the rest is sent by the next observer. */
async function drain(): Promise<void> {
  const late = setTimeout(() => cut.abort(), drainMs);
  await Promise.race([
    following.caughtUp().then(() => {
      drained.abort();
      return exporting;
    }),
    new Promise<void>((resolve) => cut.signal.addEventListener('abort', () => resolve(), { once: true })),
  ]);
  clearTimeout(late);
}

function flag(name: string): string | undefined {
  const place = process.argv.indexOf(name);
  return place < 0 ? undefined : process.argv[place + 1];
}
