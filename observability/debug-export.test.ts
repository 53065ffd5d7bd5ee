import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { metrics, offerTelemetry, type Gauge, type MetricName } from '../schemas/telemetry.ts';
import { openCollector, type Collector } from '../tests/otlp-collector.ts';
import { openDebugExport } from './debug-export.ts';
import { measureQueues } from './observer/queue-metrics.ts';

let collector: Collector;
beforeAll(async () => {
  collector = await openCollector();
});
afterAll(() => collector?.close());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const who = { role: 'coder', process: 'coder.one', mesh: 'm', version: '0' };

test('debug export: every metric and a line of the log reach a collector over gRPC, histograms in buckets that fit', async () => {
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector.grpcUrl);
  vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc');
  const names = Object.keys(metrics) as MetricName[];
  const gauges = names.filter((name) => metrics[name].kind === 'gauge');
  const opened = await openDebugExport(who, process.env, () => gauges.map((name) => ({ name, value: 1 })));
  for (const name of names) opened.measure(name, 1);
  opened.line(30, { task: 'a-task' }, 'a line');
  await opened.close();
  expect(new Set(collector.ways)).toEqual(new Set(['grpc']));
  expect(collector.logs).toMatchObject([
    { body: 'a line', severity: 'INFO', attributes: { 'switchyard.task.id': 'a-task' } },
  ]);
  const received = new Map(collector.metrics.map((one) => [one.name, one]));
  expect([...received.keys()].toSorted()).toEqual(names.toSorted());
  for (const name of names) {
    const row = metrics[name];
    expect(received.get(name)).toMatchObject({
      unit: row.unit,
      bounds: row.kind === 'histogram' ? row.buckets : [],
      resource: { 'service.name': 'switchyard-coder' },
    });
  }
});

test('queues: how many messages wait in each inbox, and how many are in hand, is looked up while it is debugged', async () => {
  vi.useFakeTimers();
  let read = (): Gauge[] => [];
  const port = {
    isDebug: true,
    debug() {},
    measure() {},
    gauges: (given: typeof read) => void (read = given),
    line() {},
  };
  offerTelemetry(port);
  measureQueues(() => Promise.resolve([{ consumer: 'role-coder', waiting: 3, inHand: 2 }]));
  expect(read()).toEqual([]);
  await vi.advanceTimersByTimeAsync(5000);
  const attributes = { 'messaging.system': 'nats', 'messaging.consumer.group.name': 'role-coder' };
  expect(read()).toEqual([
    { name: 'switchyard.inbox.waiting', value: 3, attributes },
    { name: 'switchyard.inbox.in_hand', value: 2, attributes },
  ]);
  offerTelemetry(Object.assign(port, { isDebug: false }));
  await vi.advanceTimersByTimeAsync(5000);
  expect(read()).toEqual([]);
});
