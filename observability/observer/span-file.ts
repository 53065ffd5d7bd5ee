import { appendFileSync, renameSync, statSync } from 'node:fs';
import type { AttributeValue, FinishedSpan, SpanAttributes, SpanKindName } from '../finished-span.ts';
import { resourceAttributes, scope } from './otlp-span.ts';

/** The file is put aside when it reaches this size; the one that was aside goes. */
const mostBytes = 64 * 1024 * 1024;

const kinds: Record<SpanKindName, number> = { internal: 1, client: 3, producer: 4, consumer: 5 };
const isError = 2;
const isSampled = 1;

/** Appends spans to a file of the owner's alone: one OTLP request a line, as collectors write and read them (`otlpjsonfile`). */
export function appendSpans(
  file: string,
  spans: readonly FinishedSpan[],
  about: { version: string; mesh: string },
): void {
  putAside(file);
  appendFileSync(file, `${JSON.stringify(requestOf(spans, about))}\n`, { mode: 0o600 });
}

function putAside(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size >= mostBytes) renameSync(file, `${file}.1`);
}

function requestOf(spans: readonly FinishedSpan[], about: { version: string; mesh: string }) {
  const byProcess = Map.groupBy(spans, ({ role, process }) => `${role} ${process}`);
  return {
    resourceSpans: [...byProcess.values()].map((list) => ({
      resource: { attributes: listOf(resourceAttributes(list[0]!, about)) },
      scopeSpans: [{ scope: scope(about.version), spans: list.map(spanOf) }],
    })),
  };
}

function spanOf(span: FinishedSpan) {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.traceState === undefined ? {} : { traceState: span.traceState }),
    ...(span.parentSpanId === undefined ? {} : { parentSpanId: span.parentSpanId }),
    flags: isSampled,
    name: span.name,
    kind: kinds[span.kind],
    startTimeUnixNano: nanoseconds(span.startMs),
    endTimeUnixNano: nanoseconds(span.endMs),
    attributes: listOf(span.attributes),
    events: span.events.map(({ name, atMs, attributes }) => ({
      name,
      timeUnixNano: nanoseconds(atMs),
      attributes: listOf(attributes),
    })),
    links: span.links.map(({ traceId, spanId, attributes }) => ({
      traceId,
      spanId,
      attributes: listOf(attributes),
    })),
    status: span.error === undefined ? {} : { code: isError, message: span.error },
  };
}

/** JSON has no room for a number of that size. */
const nanoseconds = (ms: number) => `${BigInt(Math.round(ms)) * 1_000_000n}`;

const listOf = (attributes: SpanAttributes) =>
  Object.entries(attributes).map(([key, value]) => ({ key, value: valueOf(value) }));

function valueOf(value: AttributeValue): unknown {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number')
    return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  return { arrayValue: { values: value.map((one) => ({ stringValue: one })) } };
}
