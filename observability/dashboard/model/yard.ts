import { shortType } from '../../../schemas/envelope.ts';
import type { TaskSummary } from '../../../schemas/query.ts';
import type { Reached } from '../../query.ts';
import type { RecordedEvent } from '../../task-view.ts';
import { addSample, noMesh, type Mesh, type MeshSample } from './mesh-history.ts';
import { withMeshEvents } from './mesh-log.ts';
import { extend, noRecord, summaryAt, taskIdOf, type TaskRecord } from './task-record.ts';

export type Link =
  | { phase: 'connecting' }
  | { phase: 'demo' }
  | { phase: 'live' }
  /** `retryAtMs`: when it is tried again. */
  | { phase: 'lost'; why: string; sinceMs: number }
  /** No credential: nothing but a new link helps. */
  | { phase: 'refused'; why: string };

/** What a model has written of a reply that is not recorded yet. */
export interface LiveText {
  callId: string;
  runId: string;
  model: string;
  text: string;
  atMs: number;
}

/** All that the page knows. Live, demo and replay come to it by the same actions. */
export interface Yard {
  mesh: string;
  link: Link;
  reached?: Reached;
  /** One row a task, newest first. */
  tasks: ReadonlyMap<string, TaskSummary>;
  /** Tasks whose events are all here, what happened to last at the end. */
  records: ReadonlyMap<string, TaskRecord>;
  /** The tasks that were looked at last, the one looked at now at the end: their events are all wanted. */
  opened: ReadonlySet<string>;
  /** Tasks of which something happened that is not here: their row is asked for again. */
  touched: ReadonlySet<string>;
  /** True once the list of tasks has been answered. */
  isListed: boolean;
  liveTexts: ReadonlyMap<string, LiveText>;
  agents: Mesh;
  /** The newest events of the mesh itself, oldest first. */
  meshEvents: readonly RecordedEvent[];
}

export const emptyYard: Yard = {
  mesh: '',
  link: { phase: 'connecting' },
  tasks: new Map(),
  records: new Map(),
  opened: new Set(),
  touched: new Set(),
  isListed: false,
  liveTexts: new Map(),
  agents: noMesh,
  meshEvents: [],
};

export type Action =
  | { do: 'link'; link: Link; mesh?: string }
  /** Somebody looks at a task. */
  | { do: 'open'; taskId: string }
  /** The read model is another one: everything known is dropped. */
  | { do: 'anew' }
  | { do: 'list'; tasks: readonly TaskSummary[]; isWhole: boolean; reached?: Reached }
  /** Rows that were asked for again. */
  | { do: 'rows'; tasks: readonly TaskSummary[] }
  /** Events of the record, in order; `reached` says up to where nothing is missing. */
  | { do: 'events'; events: readonly RecordedEvent[]; reached?: Reached }
  /** All events of one task. */
  | { do: 'record'; taskId: string; events: readonly RecordedEvent[] }
  /** Events of the mesh itself, in any order. */
  | { do: 'mesh-events'; events: readonly RecordedEvent[] }
  | { do: 'live'; kind: string; data: Record<string, unknown>; atMs: number }
  | { do: 'mesh'; sample: MeshSample };

/** Rows of the list; older tasks are found with the command line. */
export const mostTasks = 10_000;
/** Tasks of which every event is kept although nothing happens to them: those looked at last, and of the others as many. */
const mostRecords = 20;
const mostLiveTexts = 200;
const mostLiveCharacters = 40_000;

/** The yard after an action; neither is changed. */
export function advanceYard(yard: Yard, action: Action): Yard {
  switch (action.do) {
    case 'link':
      return { ...yard, link: action.link, mesh: action.mesh ?? yard.mesh };
    case 'open': {
      const { taskId } = action;
      const opened = new Set(
        [...[...yard.opened].filter((one) => one !== taskId), taskId].slice(-mostRecords),
      );
      return withinBounds({ ...yard, opened });
    }
    case 'anew': {
      const { link, mesh, agents, opened } = yard;
      return { ...emptyYard, link, mesh, agents, opened };
    }
    case 'list': {
      const tasks = withRows(yard, action.tasks);
      const reached = action.reached ?? yard.reached;
      const isListed = yard.isListed || action.isWhole;
      return withinBounds({ ...yard, tasks, isListed, ...(reached ? { reached } : {}) });
    }
    case 'rows': {
      const touched = new Set(yard.touched);
      for (const one of action.tasks) touched.delete(one.taskId);
      return withinBounds({ ...yard, tasks: withRows(yard, action.tasks), touched });
    }
    case 'events':
      return withEvents(yard, action.events, action.reached);
    case 'record': {
      const record = extend(yard.records.get(action.taskId) ?? noRecord(action.taskId), action.events);
      const liveTexts = withoutAnswered(yard.liveTexts, action.events);
      return withinBounds(withRecord({ ...yard, liveTexts }, record));
    }
    case 'mesh-events':
      return { ...yard, meshEvents: withMeshEvents(yard.meshEvents, action.events) };
    case 'live':
      return withLive(yard, action);
    case 'mesh':
      return { ...yard, agents: addSample(yard.agents, action.sample) };
  }
}

function withRows(yard: Yard, rows: readonly TaskSummary[]): ReadonlyMap<string, TaskSummary> {
  const tasks = new Map(yard.tasks);
  for (const one of rows) {
    const known = tasks.get(one.taskId);
    if (known && known.lastSequence > one.lastSequence) continue;
    tasks.set(one.taskId, one);
  }
  return tasks;
}

function withRecord(yard: Yard, record: TaskRecord): Yard {
  const row = summaryAt(record, Infinity);
  const records = new Map(yard.records);
  records.delete(record.taskId);
  return {
    ...yard,
    records: records.set(record.taskId, record),
    tasks: row ? new Map(yard.tasks).set(record.taskId, row) : yard.tasks,
  };
}

/** A page that is open for weeks holds no more than one of an hour: what is dropped is asked for where it is wanted. */
function withinBounds(yard: Yard): Yard {
  const { records, tasks, opened } = yard;
  const atRest = [...records.values()].filter(
    ({ taskId, views }) => !opened.has(taskId) && !isAtWork(views.at(-1)?.state),
  );
  const dropped = new Set(atRest.slice(0, -mostRecords).map((one) => one.taskId));
  const kept =
    dropped.size === 0 ? records : new Map([...records].filter(([taskId]) => !dropped.has(taskId)));
  if (tasks.size <= mostTasks) return kept === records ? yard : { ...yard, records: kept };
  const newest = newestFirst(tasks.values()).filter(
    (one, index) => index < mostTasks || kept.has(one.taskId),
  );
  return { ...yard, records: kept, tasks: new Map(newest.map((one) => [one.taskId, one])) };
}

const isAtWork = (state: TaskSummary['state'] | undefined) => state === 'queued' || state === 'running';

/** What is recorded need not be shown as it is written. */
function withoutAnswered(liveTexts: Yard['liveTexts'], events: readonly RecordedEvent[]): Yard['liveTexts'] {
  if (liveTexts.size === 0) return liveTexts;
  const left = new Map(liveTexts);
  for (const { event } of events) {
    const { callId } = (event.data ?? {}) as { callId?: string };
    if (callId && !shortType(event.type).endsWith('intended')) left.delete(callId);
  }
  return left.size === liveTexts.size ? liveTexts : left;
}

const firstTypes = new Set(['task.accepted', 'task.rejected']);

function withEvents(yard: Yard, events: readonly RecordedEvent[], reached: Reached | undefined): Yard {
  const byTask = new Map<string, RecordedEvent[]>();
  const ofMesh: RecordedEvent[] = [];
  for (const one of events) {
    const taskId = taskIdOf(one);
    if (taskId === undefined) ofMesh.push(one);
    else byTask.set(taskId, [...(byTask.get(taskId) ?? []), one]);
  }
  let after: Yard = {
    ...yard,
    ...(reached ? { reached } : {}),
    meshEvents: withMeshEvents(yard.meshEvents, ofMesh),
    liveTexts: withoutAnswered(yard.liveTexts, events),
  };
  const touched = new Set(yard.touched);
  for (const [taskId, list] of byTask) {
    const record = yard.records.get(taskId);
    const isNew = !record && !yard.tasks.has(taskId) && firstTypes.has(shortType(list[0]!.event.type));
    if (record || isNew) {
      after = withRecord(after, extend(record ?? noRecord(taskId), list));
    } else if ((yard.tasks.get(taskId)?.lastSequence ?? 0) < list.at(-1)!.sequence) touched.add(taskId);
  }
  return withinBounds(touched.size === yard.touched.size ? after : { ...after, touched });
}

function withLive(yard: Yard, action: Extract<Action, { do: 'live' }>): Yard {
  const { callId, runId, model, text } = action.data as Partial<Record<string, string>>;
  if (!callId) return yard;
  const liveTexts = new Map(yard.liveTexts);
  const known = liveTexts.get(callId);
  if (action.kind === 'text') {
    const whole = `${known?.text ?? ''}${text ?? ''}`.slice(-mostLiveCharacters);
    liveTexts.set(callId, { callId, runId: runId ?? '', model: model ?? '', text: whole, atMs: action.atMs });
    // A reply that is never recorded is forgotten some day.
    if (liveTexts.size > mostLiveTexts) liveTexts.delete(liveTexts.keys().next().value!);
  } else if (action.kind === 'retry') liveTexts.delete(callId);
  else return yard;
  return { ...yard, liveTexts };
}

/** All tasks, newest first. */
export const newestFirst = (tasks: Iterable<TaskSummary>): TaskSummary[] =>
  [...tasks].sort(
    (one, other) => other.startedAtMs - one.startedAtMs || other.firstSequence - one.firstSequence,
  );
