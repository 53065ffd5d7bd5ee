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
  models: Set<string>;
}

export interface Projection {
  /** Within a transaction of the caller's. `taken`: events that count; `passedOver`: entries that are not believed. */
  take(entries: readonly RecordEntry[]): { taken: number; passedOver: number };
}

/** Tasks that are kept folded; another is folded again from its events. */
const mostFolded = 500;

export type DeadLetter = QueryReply<'dead'>['letters'][number];

/** Folds events into the tables. What it keeps in memory is of committed transactions, so after a rollback open another. */
export function openProjection(database: DatabaseSync): Projection {
  const folds = new Map<string, Folded>();
  const dirty = new Set<Folded>();
  const insertId = database.prepare('INSERT OR IGNORE INTO event_id VALUES (?, ?)');
  const insertEvent = database.prepare('INSERT INTO event VALUES (?, ?, ?, ?, ?)');
  const findTask = database.prepare('SELECT task FROM task WHERE task_id = ?');
  const eventsOfTask = database.prepare(
    'SELECT sequence, journal, at_ms AS atMs, body FROM event WHERE task = ? ORDER BY sequence',
  );
  const putTask = database.prepare(
    'INSERT INTO task VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (task) DO UPDATE SET state = excluded.state, role = excluded.role, words = excluded.words, summary = excluded.summary',
  );
  const putModel = database.prepare('INSERT OR IGNORE INTO task_model VALUES (?, ?)');
  const putCall = database.prepare('INSERT OR REPLACE INTO open_call VALUES (?, ?)');
  const takeCall = database.prepare('DELETE FROM open_call WHERE call_id = ? RETURNING role');
  const addSpend = database.prepare(
    `INSERT INTO spend VALUES (?, ?, ?, 1, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
      calls = calls + 1, failed_calls = failed_calls + excluded.failed_calls,
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
    const folded: Folded = { task: found?.task ?? sequence, view: emptyView, models: new Set() };
    if (found) {
      for (const row of eventsOfTask.iterate(found.task))
        folded.view = advanceView(folded.view, storedEvent(row as unknown as StoredRow));
    }
    folds.set(taskId, folded);
    if (folds.size > mostFolded) {
      const [oldest, one] = folds.entries().next().value!;
      write(one);
      folds.delete(oldest);
    }
    return folded;
  }

  function takeOne(entry: RecordEntry & { event: Envelope }): boolean {
    const { event, journal, sequence, atMs, body } = entry;
    const type = shortType(event.type);
    const isNew = (task: number) => insertId.run(task, idBytes(event.id)).changes > 0;
    if (type.startsWith('mesh.') || type.startsWith('breaker.')) {
      if (!isNew(0)) return false;
      insertEvent.run(sequence, null, journal, atMs, body);
      takeMesh(entry, type);
      return true;
    }
    const folded = foldOf(event.subject ?? '', sequence);
    if (!isNew(folded.task)) return false;
    insertEvent.run(sequence, folded.task, journal, atMs, body);
    folded.view = advanceView(folded.view, { journal, sequence, event, atMs });
    dirty.add(folded);
    if (type.startsWith('call.')) takeCallEvent(type, event.data);
    return true;
  }

  function takeCallEvent(type: string, data: unknown): void {
    const { callId } = data as { callId: string };
    if (type === 'call.intended') {
      putCall.run(callId, (data as DataOf<'call.intended'>).role);
      return;
    }
    if (type === 'call.taken_over') return;
    const { role } = (takeCall.get(callId) ?? { role: '' }) as { role: string };
    const { model = '', backend = '', costMicroDollars } = data as Partial<DataOf<'call.failed'>>;
    const { inputTokens = 0, outputTokens = 0 } =
      type === 'call.completed'
        ? (data as DataOf<'call.completed'>).reply
        : (data as Partial<DataOf<'call.failed'>>);
    const failed = type === 'call.completed' ? 0 : 1;
    addSpend.run(model, backend, role, failed, inputTokens, outputTokens, costMicroDollars ?? 0);
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

  return {
    take(entries) {
      let taken = 0;
      for (const entry of entries) if ('event' in entry && takeOne(entry)) taken += 1;
      for (const folded of dirty) write(folded);
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

/** A UUID in 16 bytes; what is none as it stands. */
function idBytes(id: string): Uint8Array {
  return /^[0-9a-f-]{36}$/.test(id) ? Buffer.from(id.replaceAll('-', ''), 'hex') : Buffer.from(id);
}
