import type { Limits } from '../schemas/bounds.ts';
import { branchOf } from '../schemas/branch.ts';
import { findRow, type DataOf, type EventOf } from '../schemas/catalogue.ts';
import { saidAtMs, shortType, type Envelope } from '../schemas/envelope.ts';
import type { Given } from '../schemas/row.ts';
import type { Work } from '../schemas/work.ts';
import { openCallSpans } from './call-spans.ts';
import type { FinishedSpan, SpanAttributes } from './finished-span.ts';
import { openMessagingSpans } from './messaging-spans.ts';
import { known, openSpans, spanIdOf, spanOfMessage, type OpenSpans } from './open-spans.ts';
import { openRunSpans } from './run-spans.ts';
import { runIdOf } from './run-view.ts';
import type { RecordedEvent } from './task-view.ts';
import { keys, spanEvents, taxonomy } from './taxonomy.ts';

/** What the spans of one task's journals have in common. */
export interface TaskSpans {
  taskId: string;
  spans: OpenSpans;
  /** The span that a run's route and the run itself hang below. */
  above(runId: string): string;
  /** Id of the run's span, also once it is over. */
  runSpan(runId: string): string;
}

/** The trace of one task, as far as it was taken. */
export interface TaskTrace {
  /** The spans that this event ended. */
  take(recorded: RecordedEvent): FinishedSpan[];
  /** True when nothing is under way: what is kept may be forgotten. */
  isOver(): boolean;
}

/** All spans of a task that are over, from its events in order. */
export function spansOf(namespace: string, events: readonly RecordedEvent[]): FinishedSpan[] {
  const trace = openTrace(namespace);
  return events.flatMap((recorded) => trace.take(recorded));
}

/**
 * Makes the spans of one task out of its events. Nothing else is asked, so that no crash loses a span, and whoever makes
 * them again makes the same ones.
 */
export function openTrace(namespace: string): TaskTrace {
  let parts: ReturnType<typeof partsOf> | undefined;
  return {
    take(recorded) {
      const row = findRow(shortType(recorded.event.type));
      if (row?.kind !== 'event' || row.journal === 'mesh') return [];
      parts ??= partsOf(namespace, recorded.event);
      parts.take(recorded, row.journal);
      return parts.spans.taken();
    },
    isOver: () => parts !== undefined && parts.spans.keys().length === 0,
  };
}

function partsOf(namespace: string, first: Envelope) {
  const taskId = first.subject ?? '';
  const spans = openSpans({
    traceId: first.traceparent?.split('-')[1] ?? taskId.replaceAll('-', ''),
    ...(first.tracestate ? { traceState: first.tracestate } : {}),
  });
  const rootId = spanIdOf('task', taskId);
  const works = new Map<string, { work: Work; sinceMs: number }>();
  let limits: Limits | undefined;
  let review: { runId: string; id: string } | undefined;
  /** The run before a person let the task go on. */
  let lastRun: string | undefined;
  const task: TaskSpans = {
    taskId,
    spans,
    above: (runId) =>
      works.get(runId)?.work.role === 'reviewer' ? spanIdOf('review', taskId, runId) : rootId,
    runSpan: (runId) => spanIdOf('run', taskId, runId),
  };
  const messages = openMessagingSpans(spans, namespace, rootId);
  const runs = openRunSpans(task);
  const calls = openCallSpans(task);

  function take(recorded: RecordedEvent, journal: string): void {
    const { event, atMs } = recorded;
    const { given } = event.data as { given?: Given };
    const common = commonOf(recorded, journal);
    const delivery = messages.take(recorded, common);
    const save = (parent: string) =>
      spans.emit(
        {
          id: spanOfMessage(event.id),
          parent,
          name: taxonomy.save.name,
          kind: taxonomy.save.kind,
          startMs: given?.atMs ?? atMs,
          role: event.sender ?? '',
          process: given?.process ?? '',
          attributes: {
            ...common,
            [keys.eventId]: event.id,
            [keys.eventType]: event.type,
            [keys.eventSource]: event.source,
            [keys.journal]: recorded.journal,
            [keys.sequence]: recorded.sequence,
          },
          ...(delivery === undefined
            ? {}
            : {
                links: [{ spanId: delivery, attributes: { [keys.why]: 'it was decided on this delivery' } }],
              }),
        },
        atMs,
      );
    const type = shortType(event.type);
    if (journal === 'task') {
      takeTask(recorded, type as EventOf<'task'>, common);
      save(rootId);
    } else if (journal === 'route') {
      const { runId } = event.data as { runId: string };
      takeRoute(recorded, type as EventOf<'route'>, common);
      save(spanIdOf('route', taskId, runId));
    } else if (journal === 'run') save(runs.take(recorded, type as EventOf<'run'>, common));
    else save(calls.take(recorded, type as EventOf<'call'>, common, delivery));
    const holder = journal === 'run' ? runs.holder(runIdOf(recorded)) : calls.holder(event);
    messages.settle(recorded.journal, holder, atMs);
  }

  function commonOf({ event, journal }: RecordedEvent, entity: string): Record<string, string | number> {
    const { runId = entity === 'run' ? journal.slice(journal.lastIndexOf('.') + 1) : undefined } =
      event.data as { runId?: string };
    const { hop, cyclesleft } = event;
    return known({
      [keys.task]: taskId,
      [keys.run]: runId,
      [keys.role]: event.sender,
      [keys.hop]: hop,
      [keys.hopsLeft]: limits && hop !== undefined ? Math.max(0, limits.hops - hop) : undefined,
      [keys.cyclesLeft]: cyclesleft,
    }) as Record<string, string | number>;
  }

  function takeTask(
    { event, atMs }: RecordedEvent,
    type: EventOf<'task'>,
    common: Record<string, string | number>,
  ): void {
    const data = event.data as {
      given?: Given;
      next?: Work;
      limits?: Limits;
      reason?: string;
      reasons?: string[];
      findings?: unknown[];
    };
    const { given } = data;
    if (data.limits) limits = data.limits;
    if (type === 'task.accepted' || type === 'task.rejected') {
      const request = given?.command as Partial<Envelope> | undefined;
      const decidedMs = given?.atMs ?? atMs;
      const askedMs = saidAtMs(request) ?? decidedMs;
      const parent = request?.traceparent?.split('-')[2];
      spans.begin('task', {
        id: rootId,
        parent: parent !== undefined && /^(?!0{16})[0-9a-f]{16}$/.test(parent) ? parent : undefined,
        name: taxonomy.task.name,
        kind: taxonomy.task.kind,
        // A requester's clock may be ahead of ours.
        startMs: Math.min(askedMs, decidedMs),
        role: event.sender ?? '',
        process: given?.process ?? '',
        attributes: { ...common, [keys.taskBranch]: branchOf(taskId) },
      });
    }
    if (review && type !== 'task.waiting') {
      spans.end(`review ${review.runId}`, atMs, known({ [keys.findings]: data.findings?.length }));
      review = undefined;
    }
    const why = data.reason ?? data.reasons?.join('; ');
    if (type === 'task.paused') spans.event('task', spanEvents.taskPaused, atMs, known({ [keys.why]: why }));
    if (type === 'task.waiting')
      spans.event('task', spanEvents.taskWaiting, atMs, {
        [keys.why]: (data as { mend?: string }).mend ?? '',
      });
    if (type === 'task.resumed') {
      spans.add('task', { [keys.isResumed]: true });
      spans.event('task', spanEvents.taskResumed, atMs, {});
    }
    if (data.next) beginWork(data.next, event, atMs, common, type === 'task.resumed');
    const state = type.slice('task.'.length);
    if (!['completed', 'failed', 'cancelled', 'rejected'].includes(state)) return;
    for (const key of spans.keys())
      if (key.startsWith('route ')) spans.end(key, atMs, {}, `the task was ${state} before it was decided`);
    spans.end(
      'task',
      atMs,
      known({
        ...common,
        [keys.taskState]: state,
        [keys.why]: why,
        ...calls.spent(),
      }),
      state === 'completed' ? undefined : (why ?? state),
    );
  }

  function beginWork(
    work: Work,
    event: Envelope,
    atMs: number,
    common: Record<string, string | number>,
    isResumed: boolean,
  ): void {
    const { given } = event.data as { given?: Given };
    works.set(work.runId, { work, sinceMs: atMs });
    if (isResumed && lastRun !== undefined) runs.follows(work.runId, lastRun);
    lastRun = work.runId;
    if (work.role !== 'reviewer') return;
    review = { runId: work.runId, id: spanIdOf('review', taskId, work.runId) };
    spans.begin(`review ${work.runId}`, {
      id: review.id,
      parent: rootId,
      name: taxonomy.review.name,
      kind: taxonomy.review.kind,
      startMs: atMs,
      role: event.sender ?? '',
      process: given?.process ?? '',
      attributes: { ...common, [keys.run]: work.runId, [keys.item]: work.itemIndex },
    });
  }

  function takeRoute(
    { event, atMs }: RecordedEvent,
    type: EventOf<'route'>,
    common: Record<string, string | number>,
  ): void {
    const data = event.data as DataOf<'route.decided'> & DataOf<'route.waiting'>;
    const { runId, why } = data;
    const key = `route ${runId}`;
    spans.begin(key, {
      id: spanIdOf('route', taskId, runId),
      parent: task.above(runId),
      name: taxonomy.route.name,
      kind: taxonomy.route.kind,
      startMs: works.get(runId)?.sinceMs ?? data.given.atMs,
      role: event.sender ?? '',
      process: data.given.process,
      attributes: { ...common, [keys.agent]: data.role },
    });
    if (type === 'route.waiting') {
      spans.event(key, spanEvents.routeWaiting, atMs, { [keys.why]: why });
      return;
    }
    const { rule, confidence, pool, model, choices, rejected } = data;
    spans.end(
      key,
      atMs,
      known({
        [keys.rule]: rule,
        [keys.confidence]: confidence,
        [keys.pool]: pool,
        [keys.model]: model,
        [keys.provider]: choices[0]?.backend,
        [keys.fallbacks]: choices.slice(1).map((one) => one.model),
        [keys.rejected]: rejected.map((one) => `${one.model}: ${one.why}`),
        [keys.why]: why,
      } satisfies Record<string, SpanAttributes[string] | undefined>),
    );
  }

  return { spans, take };
}
