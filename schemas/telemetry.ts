/** The metrics that processes count while they are debugged, by the conventions' names where there are any. */
export const metrics = {
  'messaging.process.duration': {
    kind: 'histogram',
    unit: 's',
    what: 'How long one message took, to its end',
  },
  'messaging.client.consumed.messages': {
    kind: 'counter',
    unit: '{message}',
    what: 'Messages taken from an inbox',
  },
  'switchyard.messages.redelivered': {
    kind: 'counter',
    unit: '{message}',
    what: 'Messages taken that had been delivered before',
  },
  'switchyard.inbox.waiting': { kind: 'gauge', unit: '{message}', what: 'Messages that wait in an inbox' },
  'switchyard.inbox.in_hand': {
    kind: 'gauge',
    unit: '{message}',
    what: 'Messages handed out and not finished',
  },
  'switchyard.decisions': { kind: 'counter', unit: '{event}', what: 'Events appended, by type' },
  'switchyard.races.lost': {
    kind: 'counter',
    unit: '{append}',
    what: 'Appends that another process was before',
  },
  'switchyard.steps': { kind: 'counter', unit: '{step}', what: 'Tool calls that have a result' },
  'switchyard.step.duration': { kind: 'histogram', unit: 's', what: 'How long a tool call took' },
  'switchyard.take_overs': { kind: 'counter', unit: '{step}', what: 'Steps taken over from a dead process' },
  'gen_ai.client.operation.duration': { kind: 'histogram', unit: 's', what: 'How long a model call took' },
  'gen_ai.client.token.usage': {
    kind: 'histogram',
    unit: '{token}',
    what: 'Tokens of a call, by gen_ai.token.type',
  },
  'switchyard.cost': { kind: 'counter', unit: '{micro_dollar}', what: 'What model calls cost' },
  'switchyard.cost.wasted': {
    kind: 'counter',
    unit: '{micro_dollar}',
    what: 'What was paid for answers that nobody waited for any more',
  },
  'switchyard.calls.failed': {
    kind: 'counter',
    unit: '{call}',
    what: 'Model calls that failed, by error.type',
  },
  'switchyard.slots': { kind: 'gauge', unit: '{slot}', what: 'Messages that a process handles at a time' },
  'switchyard.slots.busy': { kind: 'gauge', unit: '{slot}', what: 'Those in hand' },
  'process.memory.usage': { kind: 'gauge', unit: 'By', what: 'Memory of the process' },
  'process.cpu.percent': { kind: 'gauge', unit: '%', what: 'Of one processor' },
  'process.thread.count': { kind: 'gauge', unit: '{thread}', what: 'Threads of the process' },
} as const satisfies Record<string, { kind: 'counter' | 'histogram' | 'gauge'; unit: string; what: string }>;
export type MetricName = keyof typeof metrics;
export type MetricAttributes = Record<string, string | number | boolean>;

export interface Gauge {
  name: MetricName;
  value: number;
  attributes?: MetricAttributes;
}

/** Whose telemetry it is. */
export interface Observed {
  role: string;
  process: string;
  mesh: string;
  version: string;
}

/** What the preloaded telemetry offers the rest of a process. While it is not debugged every call returns at once. */
export interface TelemetryPort {
  readonly isDebug: boolean;
  /** Begins to export logs and metrics, or with undefined ends it, after what is at hand was sent. */
  debug(who: Observed | undefined): void;
  /** Adds to a counter, or puts a value into a histogram. */
  measure(name: MetricName, value: number, attributes?: MetricAttributes): void;
  /** Asked before each export of metrics. */
  gauges(read: () => Gauge[]): void;
  /** A line of the log, censored. `level` as pino numbers them. */
  line(level: number, fields: object, text: string | undefined): void;
}

const key = Symbol.for('switchyard.telemetry');
type Global = { [key]?: TelemetryPort };

/** Makes the port known; nobody imports who preloads it. */
export function offerTelemetry(port: TelemetryPort): void {
  (globalThis as Global)[key] = port;
}

const none: TelemetryPort = {
  isDebug: false,
  debug() {},
  measure() {},
  gauges() {},
  line() {},
};

/** The port of this process; one that does nothing where no telemetry was preloaded. */
export const telemetry = (): TelemetryPort => (globalThis as Global)[key] ?? none;
