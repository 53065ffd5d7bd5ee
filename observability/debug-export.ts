import { ROOT_CONTEXT, TraceFlags, trace, type Counter, type Histogram } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import {
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import {
  metrics,
  type Gauge,
  type MetricAttributes,
  type MetricName,
  type Observed,
} from '../schemas/telemetry.ts';
import { exportsTo, otlpProtocolOf } from './otlp-settings.ts';
import { keys, serviceOf } from './taxonomy.ts';

type Environment = Record<string, string | undefined>;

/** What a process lets out while it is debugged. */
export interface DebugExport {
  measure(name: MetricName, value: number, attributes?: MetricAttributes): void;
  line(level: number, fields: object, text: string | undefined): void;
  /** Sends what is at hand and ends. */
  close(): Promise<void>;
}

/** Opens the export of logs and metrics to the collector that the variables name; what they do not ask for is left out. */
export async function openDebugExport(
  who: Observed,
  environment: Environment,
  readGauges: () => Gauge[],
): Promise<DebugExport> {
  const resource = resourceFromAttributes({
    'service.name': serviceOf(who.role),
    'service.namespace': who.mesh,
    'service.version': who.version,
    'service.instance.id': who.process,
  });
  const meters = exportsTo(environment, 'METRICS')
    ? await openMeters(resource, environment, readGauges)
    : undefined;
  const logs = exportsTo(environment, 'LOGS') ? await openLogs(resource, environment, who) : undefined;
  return {
    measure: (name, value, attributes) => meters?.measure(name, value, attributes),
    line: (level, fields, text) => logs?.line(level, fields, text),
    async close() {
      await Promise.allSettled([meters?.close(), logs?.close()]);
    },
  };
}

type Resource = ReturnType<typeof resourceFromAttributes>;

async function openMeters(resource: Resource, environment: Environment, readGauges: () => Gauge[]) {
  const exporter: PushMetricExporter =
    otlpProtocolOf(environment, 'METRICS') === 'grpc'
      ? new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter()
      : new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter();
  const exportIntervalMillis = Number(environment['OTEL_METRIC_EXPORT_INTERVAL']) || 10_000;
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis,
    exportTimeoutMillis: exportIntervalMillis,
  });
  const provider = new MeterProvider({ resource, readers: [reader] });
  const meter = provider.getMeter('switchyard');
  const instruments = new Map<string, Counter | Histogram>();
  const observables = new Map<string, ReturnType<typeof meter.createObservableGauge>>();
  for (const [name, row] of Object.entries(metrics)) {
    const about = { unit: row.unit, description: row.what };
    if (row.kind === 'counter') instruments.set(name, meter.createCounter(name, about));
    else if (row.kind === 'gauge') observables.set(name, meter.createObservableGauge(name, about));
    else {
      // The SDK's own are for milliseconds: in seconds nearly all would fall into the first.
      const advice = { explicitBucketBoundaries: [...row.buckets] };
      instruments.set(name, meter.createHistogram(name, { ...about, advice }));
    }
  }
  meter.addBatchObservableCallback(
    (result) => {
      for (const { name, value, attributes } of readGauges()) {
        const observable = observables.get(name);
        if (observable) result.observe(observable, value, attributes);
      }
    },
    [...observables.values()],
  );
  return {
    measure(name: MetricName, value: number, attributes: MetricAttributes = {}) {
      const instrument = instruments.get(name);
      if (!instrument) return;
      if ('add' in instrument) instrument.add(value, attributes);
      else instrument.record(value, attributes);
    },
    close: () => provider.shutdown(),
  };
}

/** Pino's levels as OpenTelemetry numbers them. */
const severities: Record<number, [number, string]> = {
  10: [1, 'TRACE'],
  20: [5, 'DEBUG'],
  30: [9, 'INFO'],
  40: [13, 'WARN'],
  50: [17, 'ERROR'],
  60: [21, 'FATAL'],
};

/** What a line calls what spans call otherwise. */
const renamed: Record<string, string> = {
  task: keys.task,
  run: keys.run,
  call: keys.callId,
  request: keys.gatewayRequest,
  journal: keys.journal,
  hop: keys.hop,
  id: keys.eventId,
};

async function openLogs(resource: Resource, environment: Environment, who: Observed) {
  const exporter: LogRecordExporter =
    otlpProtocolOf(environment, 'LOGS') === 'grpc'
      ? new (await import('@opentelemetry/exporter-logs-otlp-grpc')).OTLPLogExporter()
      : new (await import('@opentelemetry/exporter-logs-otlp-proto')).OTLPLogExporter();
  const provider = new LoggerProvider({
    resource,
    processors: [new BatchLogRecordProcessor({ exporter, scheduledDelayMillis: 1000 })],
  });
  const logger = provider.getLogger('switchyard');
  return {
    line(level: number, fields: object, text: string | undefined) {
      const [severityNumber, severityText] = severities[level] ?? severities[30]!;
      const { trace: traceId, ...rest } = fields as Record<string, unknown>;
      const attributes: Record<string, string | number | boolean> = { [keys.role]: who.role };
      for (const [name, value] of Object.entries(rest)) {
        if (value === undefined || value === null) continue;
        const isPlain = ['string', 'number', 'boolean'].includes(typeof value);
        attributes[renamed[name] ?? name] = isPlain ? (value as string) : JSON.stringify(value);
      }
      const spanId = typeof rest['id'] === 'string' ? rest['id'].replaceAll('-', '').slice(0, 16) : '';
      const isInTrace = typeof traceId === 'string' && /^[0-9a-f]{32}$/.test(traceId);
      logger.emit({
        severityNumber,
        severityText,
        body: text ?? '',
        attributes,
        ...(isInTrace && /^[0-9a-f]{16}$/.test(spanId)
          ? {
              context: trace.setSpanContext(ROOT_CONTEXT, {
                traceId,
                spanId,
                traceFlags: TraceFlags.SAMPLED,
              }),
            }
          : {}),
      });
    },
    close: () => provider.shutdown(),
  };
}
