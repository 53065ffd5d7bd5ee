type Environment = Record<string, string | undefined>;

type Signal = 'TRACES' | 'METRICS' | 'LOGS';

const isOff = (environment: Environment): boolean =>
  environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true';

/** True where a collector's address is set, for this signal or for all. */
function hasCollector(environment: Environment, signal: Signal): boolean {
  const own = {
    TRACES: environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'],
    METRICS: environment['OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'],
    LOGS: environment['OTEL_EXPORTER_OTLP_LOGS_ENDPOINT'],
  }[signal];
  return Boolean(own || environment['OTEL_EXPORTER_OTLP_ENDPOINT']);
}

/** How the collector is spoken to; HTTP with protobuf where nothing is asked for. */
export function otlpProtocolOf(environment: Environment, signal: Signal): 'grpc' | 'http/protobuf' {
  const own = {
    TRACES: environment['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'],
    METRICS: environment['OTEL_EXPORTER_OTLP_METRICS_PROTOCOL'],
    LOGS: environment['OTEL_EXPORTER_OTLP_LOGS_PROTOCOL'],
  }[signal];
  return (own || environment['OTEL_EXPORTER_OTLP_PROTOCOL']) === 'grpc' ? 'grpc' : 'http/protobuf';
}

/** Where spans go: as `OTEL_TRACES_EXPORTER` says, a list; where it says nothing, to the collector if there is one. */
export function tracesExporters(environment: Environment): ('otlp' | 'file')[] {
  if (isOff(environment)) return [];
  const asked = environment['OTEL_TRACES_EXPORTER'];
  if (!asked) return hasCollector(environment, 'TRACES') ? ['otlp'] : [];
  const names = asked.split(',').map((name) => name.trim());
  return (['otlp', 'file'] as const).filter((name) => names.includes(name));
}

/** The same for what each process exports while it is debugged; only a collector takes it. */
export function exportsTo(environment: Environment, signal: 'METRICS' | 'LOGS'): boolean {
  if (isOff(environment)) return false;
  const asked = { METRICS: environment['OTEL_METRICS_EXPORTER'], LOGS: environment['OTEL_LOGS_EXPORTER'] }[
    signal
  ];
  return asked
    ? asked
        .split(',')
        .map((name) => name.trim())
        .includes('otlp')
    : hasCollector(environment, signal);
}
