import { deriveId } from '../schemas/envelope.ts';
import type { FinishedSpan, SpanAttributes, SpanKindName } from './finished-span.ts';

/** What a span is begun with. */
export interface Beginning {
  id: string;
  parent: string | undefined;
  name: string;
  kind: SpanKindName;
  startMs: number;
  role: string;
  process: string;
  attributes: SpanAttributes;
  links?: { spanId: string; attributes: SpanAttributes }[];
}

/** A trace's id and what its requester's tracing system wants to be handed on. */
export interface TraceOf {
  traceId: string;
  traceState?: string;
}

/** The span of an event or a message: that which its own W3C trace context names. */
export const spanOfMessage = (id: string): string => id.replaceAll('-', '').slice(0, 16);

/** A span that no message stands for; the same parts give the same span, for ever. */
export const spanIdOf = (...parts: (string | number)[]): string => spanOfMessage(deriveId('span', ...parts));

/** The spans of one trace that are under way. */
export interface OpenSpans {
  begin(key: string, beginning: Beginning): void;
  has(key: string): boolean;
  idOf(key: string): string | undefined;
  /** Adds to a span that is under way; nothing where there is none. */
  add(key: string, attributes: SpanAttributes): void;
  event(key: string, name: string, atMs: number, attributes: SpanAttributes): void;
  end(key: string, endMs: number, attributes?: SpanAttributes, error?: string): void;
  /** One that is begun and over. */
  emit(beginning: Beginning, endMs: number, error?: string): void;
  keys(): string[];
  /** What ended since this was asked last. */
  taken(): FinishedSpan[];
}

export function openSpans(trace: TraceOf): OpenSpans {
  const open = new Map<string, Beginning & { events: FinishedSpan['events'] }>();
  let finished: FinishedSpan[] = [];

  function finish(
    { id, parent, links = [], events, ...rest }: Beginning & { events: FinishedSpan['events'] },
    endMs: number,
    error: string | undefined,
  ): void {
    finished.push({
      ...trace,
      spanId: id,
      ...(parent === undefined ? {} : { parentSpanId: parent }),
      ...rest,
      // The broker's clock stamps what is stored, a process's what is decided.
      endMs: Math.max(rest.startMs, endMs),
      ...(error === undefined ? {} : { error }),
      events,
      links: links.map((link) => ({ traceId: trace.traceId, ...link })),
    });
  }

  return {
    begin(key, beginning) {
      if (!open.has(key)) open.set(key, { ...beginning, events: [] });
    },
    has: (key) => open.has(key),
    idOf: (key) => open.get(key)?.id,
    add(key, attributes) {
      const span = open.get(key);
      if (span) span.attributes = { ...span.attributes, ...attributes };
    },
    event(key, name, atMs, attributes) {
      open.get(key)?.events.push({ name, atMs, attributes });
    },
    end(key, endMs, attributes = {}, error) {
      const span = open.get(key);
      if (!span) return;
      open.delete(key);
      finish({ ...span, attributes: { ...span.attributes, ...attributes } }, endMs, error);
    },
    emit: (beginning, endMs, error) => finish({ ...beginning, events: [] }, endMs, error),
    keys: () => [...open.keys()],
    taken() {
      const ended = finished;
      finished = [];
      return ended;
    },
  };
}

/** Without what is not known. */
export function known(attributes: Record<string, SpanAttributes[string] | null | undefined>): SpanAttributes {
  return Object.fromEntries(
    Object.entries(attributes).filter(([, value]) => value !== undefined && value !== null),
  ) as SpanAttributes;
}
