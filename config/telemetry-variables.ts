import type { EnvironmentVariable } from './environment.ts';

/**
 * Variables of OpenTelemetry, by the names of its specification, and of our mode; every process is given them. Where and
 * how is exported is read by Switchyard, the rest by OpenTelemetry's own exporters.
 */
export const telemetryVariables: EnvironmentVariable[] = [
  {
    name: 'OBS_MODE',
    setBy: 'person',
    meaning:
      'What leaves a process from its start on: `shipping`, spans alone, or `debug`, also logs in full and metrics, for five minutes; `switchyard obs` switches it while the mesh runs',
    standard: 'shipping',
    example: 'debug',
    accepts: ['shipping', 'debug'],
  },
  {
    name: 'OTEL_SDK_DISABLED',
    setBy: 'person',
    meaning: '`true`: nothing is exported',
    standard: 'what the others say',
  },
  {
    name: 'OTEL_TRACES_EXPORTER',
    setBy: 'person',
    meaning:
      'Where spans go: `otlp`, `file` (OTLP JSON lines in the state folder), both with a comma, or `none`',
    standard: '`otlp` where a collector is set, else none',
    example: 'file',
    accepts: ['otlp', 'file', 'none'],
    isList: true,
  },
  {
    name: 'OTEL_METRICS_EXPORTER',
    setBy: 'person',
    meaning: 'Where metrics go in debug mode: `otlp` or `none`',
    standard: '`otlp` where a collector is set, else none',
    accepts: ['otlp', 'none'],
    isList: true,
  },
  {
    name: 'OTEL_LOGS_EXPORTER',
    setBy: 'person',
    meaning: 'Where logs go in debug mode, beside their files: `otlp` or `none`',
    standard: '`otlp` where a collector is set, else none',
    accepts: ['otlp', 'none'],
    isList: true,
  },
  {
    name: 'OTEL_METRIC_EXPORT_INTERVAL',
    setBy: 'person',
    meaning: 'Milliseconds between two exports of metrics in debug mode',
    standard: '10000',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    setBy: 'person',
    meaning: "The collector's address",
    standard: 'nothing is exported',
    example: 'http://127.0.0.1:4318',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    setBy: 'person',
    meaning: 'The whole address for spans alone',
    standard: 'OTEL_EXPORTER_OTLP_ENDPOINT with /v1/traces',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT',
    setBy: 'person',
    meaning: 'The whole address for metrics alone',
    standard: 'OTEL_EXPORTER_OTLP_ENDPOINT with /v1/metrics',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT',
    setBy: 'person',
    meaning: 'The whole address for logs alone',
    standard: 'OTEL_EXPORTER_OTLP_ENDPOINT with /v1/logs',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    setBy: 'person',
    meaning: 'How the collector is spoken to: `http/protobuf` or `grpc`',
    standard: 'http/protobuf',
    example: 'grpc',
    accepts: ['http/protobuf', 'grpc'],
  },
  {
    name: 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL',
    setBy: 'person',
    meaning: 'The same for spans alone',
    standard: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    accepts: ['http/protobuf', 'grpc'],
  },
  {
    name: 'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL',
    setBy: 'person',
    meaning: 'The same for metrics alone',
    standard: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    accepts: ['http/protobuf', 'grpc'],
  },
  {
    name: 'OTEL_EXPORTER_OTLP_LOGS_PROTOCOL',
    setBy: 'person',
    meaning: 'The same for logs alone',
    standard: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    accepts: ['http/protobuf', 'grpc'],
  },
  {
    name: 'OTEL_EXPORTER_OTLP_HEADERS',
    setBy: 'person',
    meaning: 'What the collector is shown, such as a key: `name=value`, more with a comma',
    standard: 'nothing',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_TIMEOUT',
    setBy: 'person',
    meaning: 'Milliseconds that an export may take',
    standard: '10000',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_COMPRESSION',
    setBy: 'person',
    meaning: '`gzip`: exports are compressed',
    standard: 'they are not',
    example: 'gzip',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_CERTIFICATE',
    setBy: 'person',
    meaning: "File of the certificate that the collector's is checked with",
    standard: 'those of the system',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_INSECURE',
    setBy: 'person',
    meaning: '`true`: gRPC without encryption, where the address does not begin with http',
    standard: 'encrypted',
  },
];
