import type { DataOf, EventOf } from '../../../schemas/catalogue.ts';
import { shortType } from '../../../schemas/envelope.ts';
import type { Span } from '../../span.ts';
import { emptyView, type RecordedEvent } from '../../task-view.ts';
import { lineOf } from '../../timeline.ts';
import type { SignName } from './signs.ts';

const mostMeshEvents = 200;

/** What is known of the mesh with some more of it, oldest first, each once; the same where nothing is new. */
export function withMeshEvents(
  known: readonly RecordedEvent[],
  more: readonly RecordedEvent[],
): readonly RecordedEvent[] {
  const bySequence = new Map(known.map((one) => [one.sequence, one]));
  for (const one of more) bySequence.set(one.sequence, one);
  if (bySequence.size === known.length) return known;
  return [...bySequence.values()].sort((one, other) => one.sequence - other.sequence).slice(-mostMeshEvents);
}

/** Something that happened to the mesh, as a person reads it. */
export interface MeshNotice {
  sequence: number;
  atMs: number;
  sign: SignName;
  /** Says what the sign says. */
  word: string;
  spans: Span[];
  /** Why it is believed, until when it holds, what mends it. */
  details: Span[][];
}

const plain = (text: string): Span => ({ text, tone: 'plain' });
const clock = (atMs: number) => `${new Date(atMs).toISOString().slice(11, 19)} UTC`;

const crashSigns: Record<DataOf<'mesh.crash'>['sign'], string> = {
  exit: 'its launcher saw it end',
  silence: 'its heartbeat stopped',
  open_intent: 'what it had declared has no result',
  unclean_start: 'its mesh was killed; the next one found its traces',
};

/** The log of the mesh, newest first. */
export const meshNotices = (events: readonly RecordedEvent[]): MeshNotice[] =>
  events.map(noticeOf).toReversed();

const signOfType: Record<EventOf<'mesh'>, { sign: SignName; word: string }> = {
  'breaker.opened': { sign: 'denied', word: 'breaker opened' },
  'breaker.half_opened': { sign: 'waits', word: 'breaker half-opened' },
  'breaker.closed': { sign: 'done', word: 'breaker closed' },
  'mesh.crash': { sign: 'crash', word: 'crashed' },
  'mesh.mode': { sign: 'given', word: 'mode switched' },
  'mesh.dead_lettered': { sign: 'failed', word: 'given up' },
};

/** Why a process died, where that was said; newest events last. */
export function crashWhy(events: readonly RecordedEvent[], process: string): string | undefined {
  const crash = events.findLast(
    ({ event }) =>
      shortType(event.type) === 'mesh.crash' && (event.data as DataOf<'mesh.crash'>).process === process,
  );
  return crash && (crash.event.data as DataOf<'mesh.crash'>).why;
}

function noticeOf(recorded: RecordedEvent): MeshNotice {
  const type = shortType(recorded.event.type);
  const line = lineOf(recorded, emptyView);
  const known = Object.hasOwn(signOfType, type) ? (type as EventOf<'mesh'>) : undefined;
  const { sign, word } = known ? signOfType[known] : { sign: 'late' as const, word: 'unknown' };
  return {
    sequence: recorded.sequence,
    atMs: recorded.atMs,
    sign,
    word,
    // The first three are its time, its glyph and its sender.
    spans: line.spans.slice(3),
    details: [...line.details, ...(known ? moreOf(known, recorded.event.data) : [])],
  };
}

function moreOf(type: EventOf<'mesh'>, data: unknown): Span[][] {
  switch (type) {
    case 'breaker.opened': {
      const { untilMs, counts } = data as DataOf<typeof type>;
      const causes = Object.entries(counts.causes).map(([cause, count]) => `${count} ${cause}`);
      const counted = causes.length > 0 ? `; failures: ${causes.join(', ')}` : '';
      return [[plain(`may be probed at ${clock(untilMs)}${counted}`)]];
    }
    case 'mesh.crash': {
      const { role, sign, untilMs } = data as DataOf<typeof type>;
      return [[plain(`${crashSigns[sign]}; every ${role} in debug mode until ${clock(untilMs)}`)]];
    }
    case 'mesh.mode': {
      const { untilMs } = data as DataOf<typeof type>;
      return untilMs === undefined ? [] : [[plain(`until ${clock(untilMs)}`)]];
    }
    case 'breaker.half_opened':
      return [[plain(`probed by ${(data as DataOf<typeof type>).probe}`)]];
    case 'breaker.closed':
    case 'mesh.dead_lettered':
      return [];
  }
}
