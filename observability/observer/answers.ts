import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { Breaker } from '../../schemas/breaker.ts';
import type { QueryReply, QueryRequest, TaskSummary } from '../../schemas/query.ts';
import type { Progress, ReadModel } from './read-model.ts';
import { storedEvent, type DeadLetter, type StoredRow } from './projection.ts';

/** A question that cannot be answered, with what is wrong with it. */
export class QueryError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.name = 'QueryError';
    this.code = code;
  }
}

/** A reply is one message, and a broker takes 1 MiB unless it is told otherwise: so many bytes of events or tasks are in it, and the rest is asked for. */
const mostPageBytes = 768 * 1024;

type Origin = Pick<QueryReply<'totals'>, 'record' | 'position' | 'atMs'>;
const originOf = ({ record, sequence }: Progress): Origin => ({
  record,
  position: sequence,
  atMs: Date.now(),
});

/** Tasks by the filters, newest first. */
export function answerTasks(model: ReadModel, request: QueryRequest<'tasks'>): QueryReply<'tasks'> {
  const { database } = model;
  const { state, text, role, model: asked, limit = 50, cursor } = request;
  const filter = filterOf({ text, role, asked });
  const byState = countsOf(database, filter);
  const states = state === undefined ? [] : [state].flat();
  if (states.length > 0) {
    filter.conditions.push(`state IN (${states.map(() => '?').join(', ')})`);
    filter.values.push(...states);
  }
  if (cursor !== undefined) {
    const before = Number.parseInt(cursor, 36);
    if (!/^[0-9a-z]{1,11}$/.test(cursor) || !Number.isSafeInteger(before))
      throw new QueryError(400, 'cursor: it is none that an earlier page gave as `next`');
    filter.conditions.push('task < ?');
    filter.values.push(before);
  }
  const rows = database
    .prepare(`SELECT task, summary FROM task ${whereOf(filter)} ORDER BY task DESC LIMIT ?`)
    .iterate(...filter.values, limit + 1) as Iterable<{ task: number; summary: string }>;
  return { ...originOf(model.progress()), ...pageOfTasks(rows, limit), counts: byState };
}

/** As many as are asked for and fit a message; at least one. */
function pageOfTasks(
  rows: Iterable<{ task: number; summary: string }>,
  limit: number,
): Pick<QueryReply<'tasks'>, 'tasks' | 'next'> {
  const tasks: TaskSummary[] = [];
  let [bytes, last] = [0, 0];
  for (const { task, summary } of rows) {
    bytes += Buffer.byteLength(summary) + 1;
    if (tasks.length === limit || (tasks.length > 0 && bytes > mostPageBytes))
      return { tasks, next: last.toString(36) };
    tasks.push(JSON.parse(summary) as TaskSummary);
    last = task;
  }
  return { tasks };
}

interface Filter {
  conditions: string[];
  values: SQLInputValue[];
}

function filterOf({
  text,
  role,
  asked,
}: {
  text: string | undefined;
  role: string | undefined;
  asked: string | undefined;
}): Filter {
  const filter: Filter = { conditions: [], values: [] };
  const add = (condition: string, value: SQLInputValue) => {
    filter.conditions.push(condition);
    filter.values.push(value);
  };
  if (text) add('instr(words, ?) > 0', text.toLowerCase());
  if (role) add('role = ?', role);
  if (asked) add('task IN (SELECT task FROM task_model WHERE model = ?)', asked);
  return filter;
}

const whereOf = ({ conditions }: Filter) =>
  conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;

function countsOf(database: DatabaseSync, filter: Filter): Record<string, number> {
  const rows = database
    .prepare(`SELECT state, count(*) AS count FROM task ${whereOf(filter)} GROUP BY state`)
    .all(...filter.values) as { state: string; count: number }[];
  return Object.fromEntries(rows.map((row) => [row.state, row.count]));
}

/** One task's events after a place. */
export function answerTask(model: ReadModel, request: QueryRequest<'task'>): QueryReply<'task'> {
  const { taskId, after = 0, limit = 500 } = request;
  const found = model.database.prepare('SELECT task, summary FROM task WHERE task_id = ?').get(taskId) as
    | { task: number; summary: string }
    | undefined;
  if (!found) throw new QueryError(404, `taskId: the record has no task ${taskId}`);
  const rows = model.database
    .prepare(
      'SELECT sequence, journal, at_ms AS atMs, body FROM event WHERE task = ? AND sequence > ? ORDER BY sequence LIMIT ?',
    )
    .iterate(found.task, after, limit + 1);
  return {
    ...originOf(model.progress()),
    task: JSON.parse(found.summary) as TaskSummary,
    ...pageOf(rows, limit),
  };
}

/** Events of all tasks and of the mesh after a place. */
export function answerEvents(model: ReadModel, request: QueryRequest<'events'>): QueryReply<'events'> {
  const { after, limit = 500 } = request;
  const rows = model.database
    .prepare(
      'SELECT sequence, journal, at_ms AS atMs, body FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?',
    )
    .iterate(after, limit + 1);
  return { ...originOf(model.progress()), ...pageOf(rows, limit) };
}

/** As many as are asked for and fit a message; at least one. */
function pageOf(rows: Iterable<unknown>, limit: number): Pick<QueryReply<'events'>, 'events' | 'more'> {
  const events: QueryReply<'events'>['events'] = [];
  let bytes = 0;
  for (const row of rows as Iterable<StoredRow>) {
    bytes += row.body.length + 200;
    if (events.length === limit || (events.length > 0 && bytes > mostPageBytes))
      return { events, more: true };
    events.push(storedEvent(row));
  }
  return { events, more: false };
}

/** Everything in sums. */
export function answerTotals(model: ReadModel): QueryReply<'totals'> {
  const { database } = model;
  const byState = countsOf(database, { conditions: [], values: [] });
  const progress = model.progress();
  const sums = (names: string) =>
    `SELECT ${names} coalesce(sum(calls), 0) AS calls, coalesce(sum(failed_calls), 0) AS failedCalls,
      coalesce(sum(input_tokens), 0) AS inputTokens, coalesce(sum(output_tokens), 0) AS outputTokens,
      coalesce(sum(cost_micro_dollars), 0) AS costMicroDollars FROM spend`;
  const all = database.prepare(sums('')).get() as unknown as Spend;
  const byModel = database
    .prepare(`${sums('model, backend,')} WHERE model <> '' GROUP BY model, backend ORDER BY calls DESC`)
    .all() as unknown as QueryReply<'totals'>['byModel'];
  const byRole = database
    .prepare(`${sums('role,')} WHERE role <> '' GROUP BY role ORDER BY calls DESC`)
    .all() as unknown as QueryReply<'totals'>['byRole'];
  return {
    ...originOf(progress),
    tasks: Object.values(byState).reduce((sum, count) => sum + count, 0),
    byState,
    events: progress.events,
    notBelieved: progress.notBelieved,
    ...all,
    byModel,
    byRole,
  };
}

type Spend = Omit<QueryReply<'totals'>['byRole'][number], 'role'>;

/** What could not be handled. */
export function answerDead(model: ReadModel, { limit = 100 }: QueryRequest<'dead'>): QueryReply<'dead'> {
  const rows = model.database
    .prepare('SELECT letter FROM dead ORDER BY sequence DESC LIMIT ?')
    .all(limit) as { letter: string }[];
  return {
    ...originOf(model.progress()),
    letters: rows.map((row) => JSON.parse(row.letter) as DeadLetter),
  };
}

/** The newest of what concerns no task. */
export function answerMesh(model: ReadModel, { limit = 100 }: QueryRequest<'mesh'>): QueryReply<'mesh'> {
  const rows = model.database
    .prepare(
      'SELECT sequence, journal, at_ms AS atMs, body FROM event WHERE task IS NULL ORDER BY sequence DESC LIMIT ?',
    )
    .iterate(limit);
  return { ...originOf(model.progress()), events: pageOf(rows, limit).events };
}

/** Who is alive, as it was said; pools with their queues and breakers. */
export function answerAgents(
  model: ReadModel,
  processes: QueryReply<'agents'>['processes'],
  queues: QueryReply<'agents'>['queues'],
): QueryReply<'agents'> {
  const rows = model.database.prepare('SELECT pool, state FROM breaker').all() as {
    pool: string;
    state: string;
  }[];
  const breakers = new Map(rows.map((row) => [row.pool, JSON.parse(row.state) as Breaker]));
  const queued = queues.filter((one) => one.consumer.startsWith('pool-'));
  const names = new Set([
    ...processes.flatMap((one) => one.pools),
    ...queued.map((one) => one.consumer.slice('pool-'.length)),
    ...breakers.keys(),
  ]);
  const pools = [...names].toSorted().map((pool) => {
    const workers = processes.filter((one) => one.pools.includes(pool));
    const queue = queued.find((one) => one.consumer === `pool-${pool}`);
    const { phase, why, sinceMs, untilMs, trips } = breakers.get(pool) ?? closed;
    return {
      pool,
      workers: workers.map((one) => one.process),
      ...slotsOf(workers, pool),
      waiting: queue?.waiting ?? 0,
      inHand: queue?.inHand ?? 0,
      models: [...new Set(workers.flatMap((one) => modelsOf(one, pool).map((each) => each.name)))],
      breaker: { phase, why, sinceMs, untilMs, trips },
    };
  });
  return {
    ...originOf(model.progress()),
    processes: processes.toSorted(
      (one, other) => one.role.localeCompare(other.role) || one.startedAtMs - other.startedAtMs,
    ),
    pools,
    queues,
  };
}

const closed = { phase: 'closed', why: '', sinceMs: 0, untilMs: 0, trips: 0 } as const;

type Living = QueryReply<'agents'>['processes'][number];
const modelsOf = (one: Living, pool: string) => (one.models ?? []).filter((each) => each.pool === pool);

/** Models of one pool in one process share its slots, so the largest of them says how many there are. */
function slotsOf(workers: Living[], pool: string): { slots: number; freeSlots: number } {
  let [slots, freeSlots] = [0, 0];
  for (const one of workers) {
    const models = modelsOf(one, pool);
    slots += models.length > 0 ? Math.max(...models.map((each) => each.slots)) : one.slots;
    freeSlots +=
      models.length > 0
        ? Math.max(...models.map((each) => each.freeSlots))
        : Math.max(0, one.slots - one.busySlots);
  }
  return { slots, freeSlots };
}
