import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import { findRow } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import { callLine } from './call-line.ts';
import { runLine } from './run-line.ts';
import { plainText, span, type Line, type Words } from './span.ts';
import { taskLine } from './task-line.ts';
import { advanceView, emptyView, type RecordedEvent, type TaskView } from './task-view.ts';
import { modelText, offsetText } from './wording.ts';

/** One event as a person reads it: when, who, what. `view` is the task's view after this very event (`advanceView`). */
export function lineOf(recorded: RecordedEvent, view: TaskView): Line {
  const { event } = recorded;
  const words = wordsOf(recorded, view);
  const offset = offsetText(recorded.atMs - (view.startedAtMs || recorded.atMs));
  return {
    spans: [
      { text: `${offset.padStart(8)} `, tone: 'dim' },
      { text: `${words.glyph} `, tone: words.tone },
      { text: `${plainText(event.sender ?? '?', 20).padEnd(9)} `, tone: 'dim' },
      ...words.spans.filter((one) => one.text !== ''),
    ],
    details: words.details ?? [],
    isDetail: words.isDetail ?? false,
  };
}

/** All lines of a task, from its events in order. */
export function linesOf(events: readonly RecordedEvent[]): Line[] {
  let view = emptyView;
  return events.map((recorded) => {
    view = advanceView(view, recorded);
    return lineOf(recorded, view);
  });
}

function wordsOf(recorded: RecordedEvent, view: TaskView): Words {
  const type = shortType(recorded.event.type);
  const { data } = recorded.event;
  const row = findRow(type);
  if (row?.kind !== 'event')
    return {
      glyph: '?',
      tone: 'dim',
      spans: [span(`an event that this version does not know: ${type}`, 'dim')],
    };
  switch (row.journal) {
    case 'task':
      return taskLine(type as EventOf<'task'>, data, view);
    case 'route':
      return routeLine(type as EventOf<'route'>, data);
    case 'run':
      return runLine(type as EventOf<'run'>, recorded, view);
    case 'call':
      return callLine(type as EventOf<'call'>, data, view);
    case 'mesh':
      return meshLine(type as EventOf<'mesh'>, data);
  }
}

function routeLine(type: EventOf<'route'>, data: unknown): Words {
  switch (type) {
    case 'route.decided': {
      const { role, pool, confidence, why, choices, rejected } = data as DataOf<'route.decided'>;
      const [first, ...fallbacks] = choices;
      return {
        glyph: '◇',
        tone: 'accent',
        spans: [
          span(`${role} → `),
          span(modelText(first), 'accent'),
          span(` in pool ${pool}, confidence ${confidence.toFixed(2)}: ${why}`),
          ...(fallbacks.length > 0 ? [span(`; fallback ${fallbacks.map(modelText).join(', ')}`, 'dim')] : []),
        ],
        details: rejected.map((one) => [span(`not ${one.model}: ${one.why}`, 'dim')]),
      };
    }
    case 'route.waiting': {
      const { role, why, mend } = data as DataOf<'route.waiting'>;
      return {
        glyph: '…',
        tone: 'warn',
        spans: [span(`no model for the ${role}: ${why}`, 'warn')],
        details: [[span(mend, 'accent')]],
      };
    }
  }
}

function meshLine(type: EventOf<'mesh'>, data: unknown): Words {
  switch (type) {
    case 'mesh.dead_lettered': {
      const { subject, reasons, retry } = data as DataOf<'mesh.dead_lettered'>;
      return {
        glyph: '†',
        tone: 'bad',
        spans: [span(`a message on ${subject} could not be handled`, 'bad')],
        details: [...reasons.map((reason) => [span(reason)]), [span(retry, 'accent')]],
      };
    }
    case 'breaker.opened': {
      const { pool, why } = data as DataOf<typeof type>;
      return { glyph: '⊘', tone: 'bad', spans: [span(`the pool ${pool} rests: ${why}`, 'bad')] };
    }
    case 'breaker.half_opened': {
      const { pool, why } = data as DataOf<typeof type>;
      return { glyph: '…', tone: 'warn', spans: [span(`the pool ${pool} is probed: ${why}`, 'warn')] };
    }
    case 'breaker.closed': {
      const { pool, why } = data as DataOf<typeof type>;
      return { glyph: '✓', tone: 'good', spans: [span(`the pool ${pool} is back: ${why}`, 'good')] };
    }
    case 'mesh.mode': {
      const { mode, role, process } = data as DataOf<typeof type>;
      return {
        glyph: '◎',
        tone: 'dim',
        spans: [span(`${process ?? role ?? 'every process'} is observed in ${mode} mode`)],
      };
    }
    case 'mesh.crash': {
      const { why } = data as DataOf<typeof type>;
      return { glyph: '✗', tone: 'bad', spans: [span(why, 'bad')] };
    }
  }
}
