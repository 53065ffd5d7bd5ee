import { v4 } from 'uuid';
import { headers } from '@nats-io/nats-core';
import { membershipOf } from '../../bus/membership.ts';
import { openJournals } from '../../bus/journal.ts';
import { join, serve } from '../../bus/process.ts';
import { openVerifier } from '../../bus/signature.ts';
import { readAllowed } from '../../config/allowed.ts';
import { processSettings } from '../../config/membership.ts';
import { mayBeAsked } from '../../config/mode.ts';
import { modelDefinitions } from '../../config/model-options.ts';
import { readSubmission } from '../../schemas/binding.ts';
import { cloudEventType, rowOf, type DataOf } from '../../schemas/catalogue.ts';
import { shortType, taskIdOf, type Envelope } from '../../schemas/envelope.ts';
import type { SubmitRequest } from '../../schemas/request.ts';
import { censorText } from '../../schemas/secrets.ts';
import type { Input, Service } from '../../schemas/service.ts';
import { journalSubject, submitSubject } from '../../schemas/subject.ts';
import { problemsOf } from '../../schemas/validate.ts';
import { inspect } from './act.ts';
import { evolve as evolveRun, noRun, type Run } from '../run-state.ts';
import { evolve, noTask, type StoppedRun, type Task } from './task.ts';
import { decide, isOver, outbox, type ManagerFacts } from './workflow.ts';

const settings = processSettings(process.argv, process.env);
const { config, stateDirectory } = settings;
const membership = await membershipOf(settings, 'manager');
const joined = await join(membership, 'manager', true);
const { namespace } = config.mesh;
const resumptions = new Set(['task.resume', 'task.answer', 'task.approve']);

const runs = openJournals<Run>({
  bus: joined.bus,
  namespace,
  log: joined.log,
  initial: noRun,
  evolve: evolveRun,
  ...(membership.publicKeys ? { verify: openVerifier(membership.publicKeys) } : {}),
  cacheSize: 20,
});

/** A run as its own journal says it is; the manager reads it and never writes there. */
function readRun(taskId: string, role: string, id: string) {
  return runs.load(journalSubject(namespace, { entity: 'run', taskId, role, id }), true);
}

async function stoppedRuns(task: Task): Promise<StoppedRun[]> {
  return Promise.all(
    task.stops.map(async ({ runId, role }) => {
      const { state } = await readRun(task.taskId, role, runId);
      return { runId, hasEnded: state.phase === 'concluded', commit: state.commit, spend: state.spent };
    }),
  );
}

async function gather(task: Task, input: Input): Promise<ManagerFacts | undefined> {
  if (input.type === 'task.submit') {
    // What was allowed since the start holds at once.
    const allowed = readAllowed(stateDirectory);
    const asked = input.event!.data as Partial<SubmitRequest>;
    const roots = [...config.allow.repositories, ...allowed.repositories];
    return {
      acceptance: {
        repository:
          typeof asked.repository === 'string'
            ? await inspect(asked.repository, roots)
            : { problem: 'it is missing' },
        allowedTests: [...new Set([...config.allow.tests, ...allowed.tests])],
        allowedSetups: [...new Set([...config.allow.setups, ...allowed.setups])],
        ...knownModels(),
        limits: config.limits,
      },
    };
  }
  if (input.type === 'task.watch') {
    const living: Record<string, number> = {};
    for (const one of joined.registry.living()) living[one.role] = (living[one.role] ?? 0) + 1;
    if (task.phase !== 'running') return { living };
    const { runId, role } = input.event!.data as DataOf<'task.watch'>;
    const { last } = await readRun(task.taskId, role, runId);
    return { living, ...(last?.time ? { lastProgressAtMs: Date.parse(last.time) } : {}) };
  }
  if (task.phase === 'paused' && resumptions.has(input.type)) {
    const { model } = (input.event?.data ?? {}) as Partial<DataOf<'task.resume'>>;
    return { stopped: await stoppedRuns(task), ...(model ? knownModels() : {}) };
  }
  return undefined;
}

/** The configured models that the mode lets be asked, with those that live gpu-workers brought along, and the others. */
function knownModels(): { models: string[]; barred?: string[] } {
  const announced = joined.registry.living().flatMap((one) => (one.models ?? []).map((model) => model.name));
  const barred = modelDefinitions(config.models)
    .filter((model) => !mayBeAsked(config, model))
    .map((model) => model.name);
  const models = [...new Set([...Object.keys(config.models), ...announced])].filter(
    (name) => !barred.includes(name),
  );
  return { models, ...(barred.length > 0 ? { barred } : {}) };
}

/** A goal may hold a key that somebody pasted; the record must not. */
function remember(request: Envelope): Envelope {
  if (shortType(request.type) !== 'task.submit') return request;
  const asked = request.data as Partial<SubmitRequest>;
  return typeof asked.goal === 'string'
    ? { ...request, data: { ...asked, goal: censorText(asked.goal) } }
    : request;
}

const service: Service<Task> = {
  role: 'manager',
  entity: 'task',
  initial: noTask,
  evolve,
  decide,
  outbox,
  openIntent: () => undefined,
  isOver,
  gather,
  remember,
};

/** `nats req <namespace>.tasks.submit`: the task's id once the stream has the request, or everything that is wrong with it. */
async function submit(body: Uint8Array, requestHeaders: [string, string][]) {
  const read = readSubmission(requestHeaders, body, { stream: 'request', sequence: 0, timestampMs: 0 });
  if ('problems' in read)
    return { code: 400, problem: 'the request cannot be read', details: { errors: read.problems } };
  const isBare = read.event.source.startsWith('/switchyard/bare/');
  const request: Envelope = isBare
    ? { ...read.event, id: v4(), source: '/switchyard/request', type: cloudEventType(rowOf('task.submit')) }
    : read.event;
  const problems = problemsOf(request);
  if (problems.length > 0)
    return { code: 400, problem: 'the request breaks its schema', details: { errors: problems } };
  const header = headers();
  header.set('Content-Type', 'application/cloudevents+json');
  const receipt = await joined.bus.jetstream.publish(submitSubject(namespace), JSON.stringify(request), {
    msgID: `${request.source}|${request.id}`,
    headers: header,
  });
  return { ok: { taskId: taskIdOf(request), stream: receipt.stream, sequence: receipt.seq } };
}

await serve(membership, joined, {
  service,
  intakes: [
    { consumer: 'submit', slots: 4, isQuick: true },
    { consumer: 'role-manager', slots: config.slots.manager },
    { consumer: 'timer-manager', slots: 4, isQuick: true },
  ],
  endpoints: [{ name: 'submit', subject: `${namespace}.tasks.submit`, answer: submit }],
});
