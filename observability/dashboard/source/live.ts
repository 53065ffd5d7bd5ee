import { wsconnect, type NatsConnection } from '@nats-io/nats-core';
import type { QueryName, QueryReply, QueryRequest, TaskSummary } from '../../../schemas/query.ts';
import { querySubject, takeEvents, type PageSession } from '../../query.ts';
import type { RecordedEvent } from '../../task-view.ts';
import { mostTasks } from '../model/yard.ts';
import type { Store } from '../store.ts';
import { RefusedError } from './session.ts';
import type { Source } from './source.ts';

export interface LiveOptions {
  store: Store;
  /** A password for the broker, a fresh one each time. Throws RefusedError where there is none to be had. */
  session(signal: AbortSignal): Promise<PageSession>;
  now(): number;
  /** False while nobody looks: then nothing is sampled. */
  isSeen(): boolean;
}

const pageOfTasks = 500;
const pageOfEvents = 2000;
const pageOfMeshEvents = 100;
/** After a hint: at once, and again when the read side has had time to take the event in. */
const askAgainMs = [40, 250, 1000];
const sampleMs = 2000;
const retryMs = [300, 700, 1500, 3000];
const rowsAtATime = 4;

/** Follows a mesh. Only answers of the read side are believed; what is heard on the bus is a hint to ask for more. */
export function followMesh(options: LiveOptions): Source {
  const { store, now } = options;
  const stopped = new AbortController();
  let wasLetIn = false;
  let current: { connection: NatsConnection; mesh: Mesh } | undefined;
  void stayConnected();
  return {
    kind: 'live',
    openTask(taskId) {
      store.dispatch({ do: 'open', taskId });
      if (current && !store.yard().records.has(taskId)) void current.mesh.load(taskId).catch(() => {});
    },
    stop() {
      stopped.abort();
      void current?.connection.close();
    },
  };

  async function stayConnected(): Promise<void> {
    let failures = 0;
    while (!stopped.signal.aborted) {
      try {
        const session = await options.session(stopped.signal);
        wasLetIn = true;
        const connection = await wsconnect({
          servers: session.url,
          user: session.user,
          pass: session.password,
          reconnect: false,
          timeout: 5000,
          pingInterval: 10_000,
          maxPingOut: 2,
          name: 'dashboard',
        });
        try {
          const mesh = openMesh(connection, session.namespace, options);
          current = { connection, mesh };
          await mesh.catchUp();
          // An address may name a task that is not in the record: the page then says so, and follows the mesh all the same.
          for (const taskId of store.yard().opened)
            if (!store.yard().records.has(taskId)) await mesh.load(taskId).catch(() => {});
          store.dispatch({ do: 'link', link: { phase: 'live' }, mesh: session.mesh });
          failures = 0;
          mesh.follow();
          await connection.closed();
          mesh.stop();
          if (stopped.signal.aborted) return;
          lost('the connection to the broker broke');
        } finally {
          current?.mesh.stop();
          current = undefined;
          await connection.close().catch(() => {});
        }
      } catch (error) {
        if (stopped.signal.aborted) return;
        const why = error instanceof Error ? error.message : String(error);
        if (error instanceof RefusedError) {
          const told = wasLetIn ? 'the session of this page is over' : why;
          store.dispatch({ do: 'link', link: { phase: 'refused', why: told } });
          return;
        }
        lost(why);
      }
      await pause(retryMs[Math.min(failures, retryMs.length - 1)]!);
      failures += 1;
    }
  }

  function lost(why: string): void {
    const { link } = store.yard();
    const sinceMs = link.phase === 'lost' ? link.sinceMs : now();
    store.dispatch({ do: 'link', link: { phase: 'lost', why, sinceMs } });
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

interface Mesh {
  catchUp(): Promise<void>;
  load(taskId: string): Promise<void>;
  follow(): void;
  stop(): void;
}

function openMesh(connection: NatsConnection, namespace: string, options: LiveOptions): Mesh {
  const { store, now } = options;
  let isStopped = false;
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const after = (ms: number, work: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!isStopped) work();
    }, ms);
    timers.add(timer);
  };

  async function ask<Name extends QueryName>(
    name: Name,
    request: QueryRequest<Name>,
  ): Promise<QueryReply<Name>> {
    const reply = await connection.request(querySubject(namespace, name), JSON.stringify(request), {
      timeout: 5000,
    });
    const refusal = reply.headers?.get('Nats-Service-Error') || reply.headers?.get('Nats-Service-Error-Code');
    if (refusal) throw new Error(refusal);
    return reply.json<QueryReply<Name>>();
  }

  async function list(): Promise<void> {
    const { events } = await ask('mesh', { limit: pageOfMeshEvents });
    store.dispatch({ do: 'mesh-events', events: events as RecordedEvent[] });
    let cursor: string | undefined;
    let count = 0;
    do {
      const page = await ask('tasks', { limit: pageOfTasks, ...(cursor ? { cursor } : {}) });
      // What happened while the pages came is asked for from where the first of them stood.
      const reached = count === 0 ? { record: page.record, position: page.position } : undefined;
      count += page.tasks.length;
      cursor = count < mostTasks ? page.next : undefined;
      store.dispatch({ do: 'list', tasks: page.tasks, isWhole: !cursor, ...(reached ? { reached } : {}) });
    } while (cursor && !isStopped);
  }

  async function catchUp(): Promise<void> {
    if (!store.yard().reached) await list();
    let hasBegunAnew = false;
    for (let more = true; more && !isStopped;) {
      const known = store.yard().reached;
      const reply = await ask('events', { after: known?.position ?? 0, limit: pageOfEvents });
      const { isAnew, events, reached } = takeEvents(known, reply);
      if (isAnew) {
        hasBegunAnew = true;
        store.dispatch({ do: 'anew' });
        await list();
        continue;
      }
      store.dispatch({ do: 'events', events, reached });
      more = reply.more;
    }
    await refreshRows();
    // What was dropped is wanted again; a task that the new read model did not have yet is asked for once it does.
    for (const taskId of store.yard().opened) {
      const { records, tasks } = store.yard();
      if (!records.has(taskId) && (hasBegunAnew || tasks.has(taskId))) await load(taskId).catch(() => {});
    }
  }

  /** Rows of tasks that are in the list but whose events are not here. */
  async function refreshRows(): Promise<void> {
    const ids = [...store.yard().touched];
    for (let start = 0; start < ids.length && !isStopped; start += rowsAtATime) {
      const rows = await Promise.all(
        ids.slice(start, start + rowsAtATime).map(async (taskId): Promise<TaskSummary[]> => {
          const { position } = store.yard().reached ?? { position: 0 };
          return [(await ask('task', { taskId, after: position, limit: 1 })).task];
        }),
      );
      store.dispatch({ do: 'rows', tasks: rows.flat() });
    }
  }

  async function load(taskId: string): Promise<void> {
    const events: RecordedEvent[] = [];
    for (let more = true; more && !isStopped;) {
      const last = events.at(-1)?.sequence ?? 0;
      const reply = await ask('task', { taskId, after: last, limit: pageOfEvents });
      if (store.yard().reached && reply.record !== store.yard().reached?.record) return;
      events.push(...(reply.events as RecordedEvent[]));
      // Events that came meanwhile went by, since the task was not here yet.
      more = reply.more || reply.position < (store.yard().reached?.position ?? 0);
    }
    if (!isStopped) store.dispatch({ do: 'record', taskId, events });
  }

  let isAsking = false;
  let isAskedAgain = false;
  /** One question at a time; what is hinted at meanwhile is one more question. */
  async function askForMore(): Promise<void> {
    if (isAsking) {
      isAskedAgain = true;
      return;
    }
    isAsking = true;
    try {
      do {
        isAskedAgain = false;
        await catchUp();
      } while (isAskedAgain && !isStopped);
    } catch {
      // The read side may be starting again; the next hint, or the next sample, asks once more.
    } finally {
      isAsking = false;
    }
  }

  const due = new Set<number>();
  function hinted(): void {
    for (const ms of askAgainMs) {
      if (due.has(ms)) continue;
      due.add(ms);
      after(ms, () => {
        due.delete(ms);
        void askForMore();
      });
    }
  }

  let samples = 0;
  async function sample(): Promise<void> {
    if (options.isSeen()) {
      try {
        const [agents, totals, dead] = await Promise.all([
          ask('agents', {}),
          ask('totals', {}),
          samples % 5 === 0 ? ask('dead', {}) : undefined,
        ]);
        samples += 1;
        const { processes, pools, queues, atMs, position, record } = agents;
        store.dispatch({
          do: 'mesh',
          sample: { atMs, processes, pools, queues, totals, ...(dead ? { dead: dead.letters } : {}) },
        });
        const { reached } = store.yard();
        if (!reached || reached.record !== record || position > reached.position) void askForMore();
      } catch {
        // Said by the connection, if it is that; else the next sample may be answered.
      }
    }
    after(sampleMs, () => void sample());
  }

  return {
    catchUp,
    load,
    follow() {
      connection.subscribe(`${namespace}.event.>`, { callback: (error) => (error ? undefined : hinted()) });
      connection.subscribe(`${namespace}.live.>`, {
        callback: (error, message) => {
          if (error) return;
          try {
            const { kind, ...data } = message.json<{ kind: string } & Record<string, unknown>>();
            store.dispatch({ do: 'live', kind, data, atMs: now() });
          } catch {
            // Progress that is no JSON is nobody's loss.
          }
        },
      });
      hinted();
      void sample();
    },
    stop() {
      isStopped = true;
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}
