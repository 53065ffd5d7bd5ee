import type { DatabaseSync } from 'node:sqlite';
import type { RecordEntry } from '../../bus/record.ts';
import { evolveBreaker, noBreaker, type Breaker } from '../../schemas/breaker.ts';
import type { DataOf } from '../../schemas/catalogue.ts';
import { shortType, type Envelope } from '../../schemas/envelope.ts';
import type { QueryReply } from '../../schemas/query.ts';
import { summaryOf } from '../query.ts';
import { advanceView, emptyView, type RecordedEvent, type TaskView } from '../task-view.ts';

/** A task as it is folded so far; `task` is the place of its first event. */
interface Folded {
  task: number;
  view: TaskView;
  /** Of its events: an authentic entry that JetStream was made to store once more counts once. */
  ids: Set<string>;
  /** Who asked, by call. */
  askers: Map<string, string>;
  models: Set<string>;
}

/** What the calls of one kind came to. */
interface Spent {
  calls: number;
  failed: number;
  inputTokens: number;
  outputTokens: number;
  costMicroDollars: number;
}

export interface Projection {
  /** Within a transaction of the caller's. `taken`: events that count; `passedOver`: entries that are not believed. */
  take(entries: readonly RecordEntry[]): { taken: number; passedOver: number };
}

/** Events of the tasks that are kept folded, far more than tasks at work at once have: each of another is read again. */
const mostFolded = 200_000;

const callEnds = new Set(['call.completed', 'call.failed', 'call.cancelled']);

export type DeadLetter = QueryReply<'dead'>['letters'][number];

/** Folds events into the tables. What it keeps in memory is of committed transactions, so after a rollback open another. */
export function openProjection(database: DatabaseSync): Projection {
  const folds = new Map<string, Folded>();
  const dirty = new Set<Folded>();
  const spent = new Map<string, Spent>();
  let eventsFolded = 0;
  const insertMeshId = database.prepare('INSERT OR IGNORE INTO mesh_event_id VALUES (?)');
  const insertEvent = database.prepare('INSERT INTO event VALUES (?, ?, ?, ?, ?)');
  const findTask = database.prepare('SELECT task FROM task WHERE task_id = ?');
  const eventsOfTask = database.prepare(
    'SELECT sequence, journal, at_ms AS atMs, body FROM event WHERE task = ? ORDER BY sequence',
  );
  const putTask = database.prepare(
    'INSERT INTO task VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (task) DO UPDATE SET state = excluded.state, role = excluded.role, words = excluded.words, summary = excluded.summary',
  );
  const putModel = database.prepare('INSERT OR IGNORE INTO task_model VALUES (?, ?)');
  const addSpend = database.prepare(
    `INSERT INTO spend VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
      calls = calls + excluded.calls, failed_calls = failed_calls + excluded.failed_calls,
      input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
      cost_micro_dollars = cost_micro_dollars + excluded.cost_micro_dollars`,
  );
  const readBreaker = database.prepare('SELECT state FROM breaker WHERE pool = ?');
  const putBreaker = database.prepare('INSERT OR REPLACE INTO breaker VALUES (?, ?)');
  const putDead = database.prepare('INSERT INTO dead VALUES (?, ?)');

  function foldOf(taskId: string, sequence: number): Folded {
    const kept = folds.get(taskId);
    if (kept) {
      // The one that was touched last goes last.
      folds.delete(taskId);
      folds.set(taskId, kept);
      return kept;
    }
    const found = findTask.get(taskId) as { task: number } | undefined;
    const folded: Folded = {
      task: found?.task ?? sequence,
      view: emptyView,
      ids: new Set(),
      askers: new Map(),
      models: new Set(),
    };
    if (found) {
      for (const row of eventsOfTask.iterate(found.task))
        advance(folded, storedEvent(row as unknown as StoredRow));
    }
    folds.set(taskId, folded);
    return folded;
  }

  /** Those that were not touched for the longest time. */
  function letGo(): void {
    for (const [taskId, { ids }] of folds) {
      if (eventsFolded <= mostFolded || folds.size === 1) return;
      folds.delete(taskId);
      eventsFolded -= ids.size;
    }
  }

  function advance(folded: Folded, recorded: RecordedEvent): void {
    const { event } = recorded;
    folded.view = advanceView(folded.view, recorded);
    folded.ids.add(event.id);
    eventsFolded += 1;
    if (shortType(event.type) !== 'call.intended') return;
    const { callId, role } = event.data as DataOf<'call.intended'>;
    folded.askers.set(callId, role);
  }

  function takeOne(entry: RecordEntry & { event: Envelope }): boolean {
    const { event, journal, sequence, atMs, body } = entry;
    const type = shortType(event.type);
    if (type.startsWith('mesh.') || type.startsWith('breaker.')) {
      if (insertMeshId.run(event.id).changes === 0) return false;
      insertEvent.run(sequence, null, journal, atMs, body);
      takeMesh(entry, type);
      return true;
    }
    const folded = foldOf(event.subject ?? '', sequence);
    if (folded.ids.has(event.id)) return false;
    insertEvent.run(sequence, folded.task, journal, atMs, body);
    advance(folded, { journal, sequence, event, atMs });
    dirty.add(folded);
    if (callEnds.has(type)) spend(folded, type, event.data);
    return true;
  }

  function spend({ askers }: Folded, type: string, data: unknown): void {
    const { callId, model = '', backend = '', costMicroDollars = 0 } = data as Partial<DataOf<'call.failed'>>;
    const { inputTokens = 0, outputTokens = 0 } =
      type === 'call.completed'
        ? (data as DataOf<'call.completed'>).reply
        : (data as Partial<DataOf<'call.failed'>>);
    const kind = JSON.stringify([model, backend, askers.get(callId!) ?? '']);
    const before = spent.get(kind);
    spent.set(kind, {
      calls: (before?.calls ?? 0) + 1,
      failed: (before?.failed ?? 0) + (type === 'call.completed' ? 0 : 1),
      inputTokens: (before?.inputTokens ?? 0) + inputTokens,
      outputTokens: (before?.outputTokens ?? 0) + outputTokens,
      costMicroDollars: (before?.costMicroDollars ?? 0) + costMicroDollars,
    });
  }

  function takeMesh(
    { event, journal, sequence, atMs }: RecordEntry & { event: Envelope },
    type: string,
  ): void {
    if (type.startsWith('breaker.')) {
      const { pool } = event.data as { pool: string };
      const before = readBreaker.get(pool) as { state: string } | undefined;
      const breaker = before ? (JSON.parse(before.state) as Breaker) : noBreaker;
      putBreaker.run(pool, JSON.stringify(evolveBreaker(breaker, { journal, sequence, event })));
      return;
    }
    if (type !== 'mesh.dead_lettered') return;
    const { messageId, subject, role, process, deliveries, reasons, retry } =
      event.data as DataOf<'mesh.dead_lettered'>;
    const about = event.subject ? { taskId: event.subject } : {};
    const letter: DeadLetter = {
      ...{ messageId, subject, role, process, deliveries, reasons, retry },
      ...{ ...about, sequence, atMs },
    };
    putDead.run(sequence, JSON.stringify(letter));
  }

  function write(folded: Folded): void {
    if (!dirty.delete(folded)) return;
    const summary = summaryOf(folded.view, folded.task);
    const { taskId, state, roleAtWork, goal, repository } = summary;
    const words = `${goal}\n${repository}\n${taskId}`.toLowerCase();
    putTask.run(folded.task, taskId, state, roleAtWork ?? '', words, JSON.stringify(summary));
    for (const model of summary.models) {
      if (folded.models.has(model)) continue;
      folded.models.add(model);
      putModel.run(model, folded.task);
    }
  }

  function writeSpent(): void {
    for (const [kind, { calls, failed, inputTokens, outputTokens, costMicroDollars }] of spent) {
      const [model, backend, role] = JSON.parse(kind) as [string, string, string];
      addSpend.run(model, backend, role, calls, failed, inputTokens, outputTokens, costMicroDollars);
    }
    spent.clear();
  }

  return {
    take(entries) {
      let taken = 0;
      for (const entry of entries) if ('event' in entry && takeOne(entry)) taken += 1;
      for (const folded of dirty) write(folded);
      writeSpent();
      letGo();
      return { taken, passedOver: entries.length - taken };
    },
  };
}

export interface StoredRow {
  sequence: number;
  journal: string;
  atMs: number;
  body: Uint8Array;
}

const decoder = new TextDecoder();

/** A row of the event table as the timeline takes it. */
export function storedEvent({ sequence, journal, atMs, body }: StoredRow): RecordedEvent {
  return { journal, sequence, atMs, event: JSON.parse(decoder.decode(body)) as Envelope };
}
