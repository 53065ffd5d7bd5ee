import { v5 } from 'uuid';
import { catalogue, cloudEventType, rowOf, type DataOf, type TypeName } from './catalogue.ts';
import type { Author } from './row.ts';

/** A CloudEvent 1.0 as it stands on the wire, structured JSON, with our extensions. */
export interface Envelope<Data = unknown> {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  /** The task's id. */
  subject?: string;
  /** RFC 3339. */
  time?: string;
  datacontenttype?: string;
  /** The root task's id. */
  correlationid?: string;
  /** Id of the event that caused this one. */
  causationid?: string;
  traceparent?: string;
  tracestate?: string;
  hop?: number;
  cyclesleft?: number;
  sender?: string;
  recipient?: string;
  data: Data;
}

/** Every id of ours that is derived is a UUID v5 in this namespace. */
const space = '5b1e6f5a-7a63-5d5e-9a2c-0d7d8f1f0c11';

/** The same parts give the same id, for ever and in every process; the parts are joined by `|`. */
export function deriveId(...parts: (string | number)[]): string {
  return v5(parts.join('|'), space);
}

/** The task that a request from outside asks for: the same `source` and `id` is the same task, for ever. */
export function taskIdOf(request: Pick<Envelope, 'source' | 'id'>): string {
  return deriveId('task', request.source, request.id);
}

/**
 * The W3C trace context of an event. The trace is the task's and the span the event's own, both derived from ids,
 * so that a run which goes on in another process stays in the same trace.
 */
export function traceparentOf(correlationId: string, eventId: string): string {
  return `00-${correlationId.replaceAll('-', '')}-${eventId.replaceAll('-', '').slice(0, 16)}-01`;
}

/** The trace that a W3C trace context names; undefined where it names none, so that nonsense is not handed on. */
function traceOf(traceparent: string | undefined): string | undefined {
  return /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent ?? '')?.[1];
}

/** What every message of a task carries along. */
export interface Lineage {
  taskId: string;
  correlationId: string;
  causationId: string;
  /** The trace that a requester brought along; else the task's own. */
  traceparent?: string;
  tracestate?: string;
  hop: number;
  cyclesLeft: number;
}

/** Builds a message of the contract. `atMs` is milliseconds since 1970 UTC. */
export function message<Name extends TypeName>(
  type: Name,
  id: string,
  sender: Author,
  recipient: string,
  lineage: Lineage,
  atMs: number,
  data: DataOf<Name>,
): Envelope<DataOf<Name>> {
  const trace = traceOf(lineage.traceparent) ?? lineage.correlationId;
  return {
    specversion: '1.0',
    id,
    source: `/switchyard/${sender}`,
    type: cloudEventType(rowOf(type)),
    subject: lineage.taskId,
    time: new Date(atMs).toISOString(),
    datacontenttype: 'application/json',
    correlationid: lineage.correlationId,
    causationid: lineage.causationId,
    traceparent: traceparentOf(trace, id),
    ...(lineage.tracestate ? { tracestate: lineage.tracestate } : {}),
    hop: lineage.hop,
    cyclesleft: lineage.cyclesLeft,
    sender,
    recipient,
    data,
  };
}

/** When a message says that it was made, milliseconds since 1970 UTC; undefined where it does not. */
export function saidAtMs(event: Partial<Envelope> | undefined): number | undefined {
  return Date.parse(event?.time ?? '') || undefined;
}

const shortTypes = new Map<string, string>(catalogue.map((one) => [cloudEventType(one), one.type]));

/** `dev.switchyard.task.accepted.v1` -> `task.accepted`; anything else as it stands. */
export function shortType(type: string): string {
  return shortTypes.get(type) ?? type.replace(/^dev\.switchyard\./, '').replace(/\.v\d+$/, '');
}
