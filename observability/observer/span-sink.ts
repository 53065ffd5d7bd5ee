import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { otlpProtocolOf, tracesExporters } from '../otlp-settings.ts';
import type { FinishedSpan } from '../finished-span.ts';
import { openConversion } from './otlp-span.ts';
import { appendSpans } from './span-file.ts';

/** Where spans go. */
export interface SpanSink {
  /** In words, for the log. */
  name: string;
  /** Resolves when they were taken; rejects when they were not. */
  send(spans: FinishedSpan[]): Promise<void>;
  close(): Promise<void>;
}

export interface SinkOptions {
  environment: Record<string, string | undefined>;
  file: string;
  version: string;
  mesh: string;
}

/** The sinks that the standard variables of OpenTelemetry ask for; none where they ask for none. */
export async function openSinks(options: SinkOptions): Promise<SpanSink[]> {
  const sinks: SpanSink[] = [];
  for (const name of tracesExporters(options.environment))
    sinks.push(name === 'file' ? fileSink(options) : await otlpSink(options));
  return sinks;
}

function fileSink({ file, ...about }: SinkOptions): SpanSink {
  return {
    name: file,
    send: async (spans) => appendSpans(file, spans, about),
    close: () => Promise.resolve(),
  };
}

/** OpenTelemetry's ExportResultCode.SUCCESS. */
const success = 0;

interface Exporter {
  export(spans: ReadableSpan[], done: (result: { code: number; error?: Error }) => void): void;
  shutdown(): Promise<void>;
}

/** The exporters read the address, headers, certificates and limits from the standard variables themselves. */
async function otlpSink({ environment, ...about }: SinkOptions): Promise<SpanSink> {
  const protocol = otlpProtocolOf(environment, 'TRACES');
  const exporter: Exporter =
    protocol === 'grpc'
      ? new (await import('@opentelemetry/exporter-trace-otlp-grpc')).OTLPTraceExporter()
      : new (await import('@opentelemetry/exporter-trace-otlp-proto')).OTLPTraceExporter();
  const convert = openConversion(about);
  return {
    name: `OTLP over ${protocol}`,
    send: (spans) =>
      new Promise((resolve, reject) =>
        exporter.export(spans.map(convert), ({ code, error }) =>
          code === success ? resolve() : reject(error ?? new Error('the collector did not take them')),
        ),
      ),
    close: () => exporter.shutdown(),
  };
}
