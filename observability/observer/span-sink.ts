import { createHash } from 'node:crypto';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { otlpProtocolOf, tracesExporters } from '../otlp-settings.ts';
import type { FinishedSpan } from '../finished-span.ts';
import { openConversion } from './otlp-span.ts';
import { appendSpans } from './span-file.ts';

/** Where spans go. */
export interface SpanSink {
  /** In words, for the log. */
  name: string;
  /** Tells it from any other, as a part of a file's name; a collector elsewhere is another. */
  key: string;
  /** Resolves when they were taken; rejects when they were not. */
  send(spans: FinishedSpan[]): Promise<void>;
  /** True where `send` rejected with the word that these spans are never taken, however often they come. */
  refuses(error: unknown): boolean;
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
    key: 'file',
    send: async (spans) => appendSpans(file, spans, about),
    refuses: () => false,
    close: () => Promise.resolve(),
  };
}

/** OpenTelemetry's ExportResultCode.SUCCESS. */
const success = 0;

interface Exporter {
  export(spans: ReadableSpan[], done: (result: { code: number; error?: Error }) => void): void;
  shutdown(): Promise<void>;
}

/** What is wrong with the request itself. A missing key or a wrong path is for a person to mend, and the spans wait. */
const refusedByHttp = new Set<unknown>([400, 413, 422]);
const invalidArgument = 3;
const resourceExhausted = 8;

function refusedByGrpc(code: unknown, words: string): boolean {
  // The same code says "too much at the moment", which passes.
  return code === invalidArgument || (code === resourceExhausted && /larger than max/i.test(words));
}

/** The address may hold a password, and is no name for a file. */
const keyOf = (environment: SinkOptions['environment']) =>
  createHash('sha256')
    .update(
      environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || environment['OTEL_EXPORTER_OTLP_ENDPOINT'] || '',
    )
    .digest('hex')
    .slice(0, 12);

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
    key: `otlp-${keyOf(environment)}`,
    refuses(error) {
      const { code, message = '' } = error as { code?: unknown; message?: string };
      return protocol === 'grpc' ? refusedByGrpc(code, message) : refusedByHttp.has(code);
    },
    send: (spans) =>
      new Promise((resolve, reject) =>
        exporter.export(spans.map(convert), ({ code, error }) =>
          code === success ? resolve() : reject(error ?? new Error('the collector did not take them')),
        ),
      ),
    close: () => exporter.shutdown(),
  };
}
