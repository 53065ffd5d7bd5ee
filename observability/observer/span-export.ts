import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from '../../bus/log.ts';
import type { Heartbeat } from '../../bus/registry.ts';
import type { FinishedSpan, SpanAttributes } from '../finished-span.ts';
import { openTrace, type TaskTrace } from '../spans.ts';
import { keys, operations } from '../taxonomy.ts';
import { storedEvent, type StoredRow } from './projection.ts';
import type { ReadModel } from './read-model.ts';
import type { SpanSink } from './span-sink.ts';

export interface SpanExportOptions {
  model: Pick<ReadModel, 'database' | 'progress'>;
  namespace: string;
  sinks: SpanSink[];
  /** Where it is kept how far each sink took the spans. */
  positionFolder: string;
  log: Pick<Log, 'info' | 'warn' | 'debug'>;
  /** Who is alive, for what is known of a span's process. */
  living(): Heartbeat[];
  /** Aborted when the read model takes no more: what stands there is sent, and that is the end. */
  drained?: AbortSignal;
  /** Ends it at once. */
  signal: AbortSignal;
}

/** How far the spans of the record were taken. `record`: the building of the read model that `sequence` is of. */
interface Position {
  record: string;
  sequence: number;
  atMs: number;
}

const batchEvents = 500;
const mostSpans = 512;
const lookMs = 300;
const mostTraces = 500;
const longestWaitMs = 30_000;

/** Sends the spans of the record to each sink until the signal aborts; one that takes none holds up no other. */
export async function exportSpans({ sinks, ...options }: SpanExportOptions): Promise<void> {
  await Promise.all(sinks.map((sink) => exportTo(sink, options)));
}

/**
 * How far they were taken is kept after they were: a crash sends some of them again, with the same ids, and loses none.
 * A sink that is new begins with the first.
 */
async function exportTo(sink: SpanSink, options: Omit<SpanExportOptions, 'sinks'>): Promise<void> {
  const { model, log, signal } = options;
  const positionFile = join(options.positionFolder, `spans-position-${sink.key}.json`);
  const traces = new Map<number, TaskTrace>();
  const facts = new Map<string, SpanAttributes>();
  let position = readPosition(positionFile);
  let from = position.sequence;
  let sinceMs = 0;
  let record = position.record;
  log.info({ to: sink.name, position }, 'spans are exported');
  const noMore = AbortSignal.any([signal, ...(options.drained ? [options.drained] : [])]);
  while (!signal.aborted) {
    // Before it is looked: what came until then is seen.
    const isLast = noMore.aborted;
    let goesOn = false;
    let isDone = false;
    try {
      goesOn = await step();
      isDone = isLast && !goesOn;
    } catch (error) {
      // What was folded and not sent is folded again.
      traces.clear();
      log.warn({ error }, 'spans could not be made; trying again');
    }
    if (isDone) break;
    if (!goesOn) await sleep(lookMs, isLast ? signal : noMore);
  }
  await sink.close().catch(() => {});

  /** Exports what comes next; false where nothing came. */
  async function step(): Promise<boolean> {
    const now = model.progress();
    if (now.record !== record) {
      // Another building of the read model, maybe of another record: its times say what was exported already.
      traces.clear();
      from = 0;
      sinceMs = position.atMs;
      record = now.record;
    }
    remember(facts, options.living());
    const rows = model.database
      .prepare(
        `SELECT sequence, task, journal, at_ms AS atMs, body FROM event
         WHERE sequence > ? AND at_ms >= ? ORDER BY sequence LIMIT ${batchEvents}`,
      )
      .all(from, sinceMs) as unknown as (StoredRow & { task: number | null })[];
    const last = rows.at(-1);
    if (!last) {
      from = Math.max(from, now.sequence);
      return false;
    }
    const spans = rows.flatMap((row) => spansOfRow(row)).map((span) => withFacts(span, facts));
    for (let start = 0; start < spans.length && !signal.aborted; start += mostSpans)
      await send(spans.slice(start, start + mostSpans));
    if (signal.aborted) return false;
    from = last.sequence;
    position = { record, sequence: last.sequence, atMs: last.atMs };
    writePosition(positionFile, position);
    return true;
  }

  function spansOfRow(row: StoredRow & { task: number | null }): FinishedSpan[] {
    if (row.task === null) return [];
    return traceOf(row.task, row.sequence).take(storedEvent(row));
  }

  /** The trace of a task up to an event; one that is not kept is made again from what came before. */
  function traceOf(task: number, before: number): TaskTrace {
    const kept = traces.get(task);
    if (kept) {
      traces.delete(task);
      traces.set(task, kept);
      return kept;
    }
    const trace = openTrace(options.namespace);
    const earlier = model.database.prepare(
      'SELECT sequence, journal, at_ms AS atMs, body FROM event WHERE task = ? AND sequence < ? ORDER BY sequence',
    );
    for (const row of earlier.iterate(task, before)) trace.take(storedEvent(row as unknown as StoredRow));
    traces.set(task, trace);
    if (traces.size > mostTraces) traces.delete(traces.keys().next().value!);
    return trace;
  }

  /** As often as it takes, unless they are refused for good: nothing that comes after them would ever be sent. */
  async function send(spans: FinishedSpan[]): Promise<void> {
    for (let waitMs = 500; !signal.aborted; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
      try {
        await sink.send(spans);
        return;
      } catch (error) {
        const batch = { to: sink.name, spans: spans.length, error };
        if (sink.refuses(error)) {
          const traces = [...new Set(spans.map((one) => one.traceId))];
          log.warn({ ...batch, traces }, 'spans were refused for good; they are dropped');
          return;
        }
        log.warn(batch, 'spans were not taken; they are sent again');
      }
      await sleep(waitMs, signal);
    }
  }
}

/** Processes that are gone are remembered for the spans that end after them. */
const mostFacts = 1000;

function remember(facts: Map<string, SpanAttributes>, living: Heartbeat[]): void {
  for (const { process, threads, memoryBytes, cpuPercent } of living) {
    facts.delete(process);
    facts.set(process, {
      [keys.threads]: threads,
      [keys.memory]: memoryBytes,
      ...(cpuPercent === undefined ? {} : { [keys.cpu]: cpuPercent / 100 }),
    });
  }
  while (facts.size > mostFacts) facts.delete(facts.keys().next().value!);
}

/** Runs, tool calls and model calls say how their process was. */
function withFacts(span: FinishedSpan, facts: Map<string, SpanAttributes>): FinishedSpan {
  const isWork = Object.values<unknown>(operations).includes(span.attributes[keys.operation]);
  const known = isWork ? facts.get(span.process) : undefined;
  return known ? { ...span, attributes: { ...span.attributes, ...known } } : span;
}

function readPosition(file: string): Position {
  try {
    const { record, sequence, atMs } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Position>;
    if (typeof record === 'string' && Number.isSafeInteger(sequence) && Number.isFinite(atMs))
      return { record, sequence: sequence!, atMs: atMs! };
  } catch {
    // None yet, or damaged: from the beginning, and nobody is harmed by spans that come twice.
  }
  return { record: '', sequence: 0, atMs: 0 };
}

function writePosition(file: string, position: Position): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, JSON.stringify(position), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function sleep(timeMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, timeMs);
    signal.addEventListener('abort', done, { once: true });
  });
}
