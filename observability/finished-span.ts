/** What an attribute of a span may be. */
export type AttributeValue = string | number | boolean | string[];
export type SpanAttributes = Record<string, AttributeValue>;

export type SpanKindName = 'internal' | 'client' | 'producer' | 'consumer';

/** A span that is over, out of the record alone: whoever makes it again makes the same one, with the same ids. */
export interface FinishedSpan {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  name: string;
  kind: SpanKindName;
  /** Milliseconds since 1970 UTC. */
  startMs: number;
  endMs: number;
  attributes: SpanAttributes;
  /** Why it did not go well; absent where it did. */
  error?: string;
  events: { name: string; atMs: number; attributes: SpanAttributes }[];
  links: { traceId: string; spanId: string; attributes: SpanAttributes }[];
  /** Who did it: the role, for the service's name, and the process, for its instance. */
  role: string;
  process: string;
}
