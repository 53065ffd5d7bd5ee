/** Upper ends of a histogram's buckets, as the conventions for messages and models advise. */
const messageSeconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const callSeconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const callTokens = [
  1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
];

/** The metrics that processes count while they are debugged, by the conventions' names where there are any. */
export const metrics = {
  'messaging.process.duration': {
    kind: 'histogram',
    unit: 's',
    what: 'How long one message took, to its end',
    buckets: messageSeconds,
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
  'switchyard.step.duration': {
    kind: 'histogram',
    unit: 's',
    what: 'How long a tool call took',
    buckets: callSeconds,
  },
  'switchyard.take_overs': { kind: 'counter', unit: '{step}', what: 'Steps taken over from a dead process' },
  'gen_ai.client.operation.duration': {
    kind: 'histogram',
    unit: 's',
    what: 'How long a model call took, with error.type where it failed',
    buckets: callSeconds,
  },
  'gen_ai.client.token.usage': {
    kind: 'histogram',
    unit: '{token}',
    what: 'Tokens of a call, by gen_ai.token.type; of one that failed, those of its unusable replies',
    buckets: callTokens,
  },
  'switchyard.cost': {
    kind: 'counter',
    unit: '{micro_dollar}',
    what: 'What model calls cost, those that failed or were called off too',
  },
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
  'switchyard.slots': {
    kind: 'gauge',
    unit: '{slot}',
    what: 'Tasks or calls that a process works at at once',
  },
  'switchyard.slots.busy': { kind: 'gauge', unit: '{slot}', what: 'Those that are taken' },
  'process.memory.usage': { kind: 'gauge', unit: 'By', what: 'Memory of the process' },
  'process.cpu.utilization': {
    kind: 'gauge',
    unit: '1',
    what: 'Of one processor: over 1 where several are busy',
  },
  'process.thread.count': { kind: 'gauge', unit: '{thread}', what: 'Threads of the process' },
} as const satisfies Record<string, MetricRow>;

type MetricRow =
  | { kind: 'counter' | 'gauge'; unit: string; what: string }
  | { kind: 'histogram'; unit: string; what: string; buckets: readonly number[] };

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
