import { SpanKind, SpanStatusCode, TraceFlags, type HrTime, type SpanContext } from '@opentelemetry/api';
import { resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { createTraceState } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { FinishedSpan, SpanKindName } from '../finished-span.ts';
import { serviceOf } from '../taxonomy.ts';

export const scope = (version: string) => ({ name: 'switchyard', version });

const kinds: Record<SpanKindName, SpanKind> = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** What the spans of one process say of it. */
export function resourceAttributes(
  { role, process }: Pick<FinishedSpan, 'role' | 'process'>,
  about: { version: string; mesh: string },
): Record<string, string> {
  return {
    'service.name': serviceOf(role),
    'service.namespace': about.mesh,
    'service.version': about.version,
    ...(process ? { 'service.instance.id': process } : {}),
  };
}

const mostResources = 1000;

/** Spans as the exporters of OpenTelemetry take them; spans of one process share a resource. */
export function openConversion(about: { version: string; mesh: string }) {
  const resources = new Map<string, Resource>();
  const resourceOf = (span: FinishedSpan): Resource => {
    const key = `${span.role} ${span.process}`;
    let resource = resources.get(key);
    if (!resource) {
      if (resources.size >= mostResources) resources.clear();
      resource = resourceFromAttributes(resourceAttributes(span, about));
      resources.set(key, resource);
    }
    return resource;
  };
  return (span: FinishedSpan): ReadableSpan => ({
    name: span.name,
    kind: kinds[span.kind],
    spanContext: () => contextOf(span, span.spanId),
    ...(span.parentSpanId === undefined ? {} : { parentSpanContext: contextOf(span, span.parentSpanId) }),
    startTime: timeOf(span.startMs),
    endTime: timeOf(span.endMs),
    duration: timeOf(span.endMs - span.startMs),
    ended: true,
    status:
      span.error === undefined
        ? { code: SpanStatusCode.UNSET }
        : { code: SpanStatusCode.ERROR, message: span.error },
    attributes: span.attributes,
    events: span.events.map(({ name, atMs, attributes }) => ({ name, time: timeOf(atMs), attributes })),
    links: span.links.map(({ traceId, spanId, attributes }) => ({
      context: { traceId, spanId, traceFlags: TraceFlags.SAMPLED },
      attributes,
    })),
    resource: resourceOf(span),
    instrumentationScope: scope(about.version),
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  });
}

function contextOf({ traceId, traceState }: FinishedSpan, spanId: string): SpanContext {
  return {
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    ...(traceState === undefined ? {} : { traceState: createTraceState(traceState) }),
  };
}

const timeOf = (ms: number): HrTime => [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
