import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { entriesOfTask, syntheticTaskId } from '../../tests/synthetic-record.ts';
import { openCollector, type Collector } from '../../tests/otlp-collector.ts';
import { eventually } from '../../tests/yard-parts.ts';
import { roles } from '../../schemas/row.ts';
import { openReadModel, type ReadModel } from './read-model.ts';
import { exportSpans } from './span-export.ts';
import { openSinks } from './span-sink.ts';

const namespace = 'yard';
const signers = Object.fromEntries(roles.map((role) => [role, () => '']));
const tooLarge = 'Received message larger than max (9 vs. 4)';
let collector: Collector;
let folder: string;
let model: ReadModel;
let warnings: object[];
let sequence = 0;

beforeAll(async () => {
  collector = await openCollector();
});
afterAll(() => collector?.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-spans-'));
  model = openReadModel(join(folder, 'model.sqlite'), namespace);
  warnings = [];
  sequence = 0;
  collector.spans.length = 0;
  collector.refuse(0);
});
afterEach(() => {
  vi.unstubAllEnvs();
  model.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Puts a task into the read model, as if it had been read from the record. */
const recordTask = (number: number) =>
  model.take(
    entriesOfTask(namespace, signers, number, 1).map((one) => {
      sequence += 1;
      return { ...one, sequence, atMs: Date.now(), mark: String(sequence) };
    }),
  );

/** Exports as the observer does, until the body is done. */
async function exporting(
  variables: Record<string, string>,
  body: () => Promise<unknown>,
  drained?: AbortController,
): Promise<void> {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  const ending = new AbortController();
  const sinks = await openSinks({
    environment: process.env,
    file: join(folder, 'spans.jsonl'),
    version: '0',
    mesh: 'm',
  });
  const done = exportSpans({
    model,
    namespace,
    sinks,
    positionFolder: folder,
    log: {
      info: () => {},
      debug: () => {},
      warn: (fields: object, words: string) => void warnings.push({ ...fields, words }),
    } as never,
    living: () => [],
    ...(drained ? { drained: drained.signal } : {}),
    signal: ending.signal,
  });
  try {
    await body();
    if (drained) await done;
  } finally {
    ending.abort();
    await done;
  }
}

const isReceived = (task: number) => () =>
  Promise.resolve(
    collector.spans.some((one) => one.attributes['switchyard.task.id'] === syntheticTaskId(task)) ||
      undefined,
  );
const inFile = () =>
  existsSync(join(folder, 'spans.jsonl')) ? readFileSync(join(folder, 'spans.jsonl'), 'utf8') : '';

test.each([
  ['HTTP', { http: 400 }],
  ['HTTP', { http: 413 }],
  ['gRPC', { grpc: 3, details: 'a span is malformed' }],
  ['gRPC', { grpc: 8, details: tooLarge }],
] as const)(
  'span export: what a collector refuses for good over %s (%o) is dropped with one warning, and the next goes on',
  async (way, answer) => {
    const overGrpc = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_ENDPOINT: collector.grpcUrl };
    collector.refuse(1, answer);
    recordTask(1);
    await exporting(
      way === 'gRPC' ? overGrpc : { OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl },
      async () => {
        await eventually(() => warnings.length > 0, 'the refusal');
        recordTask(2);
        await eventually(isReceived(2), 'the spans of the next task');
      },
    );
    expect(warnings).toEqual([
      expect.objectContaining({
        traces: [expect.stringMatching(/^[0-9a-f]{32}$/)],
        spans: expect.any(Number),
        words: expect.stringContaining('dropped'),
      }),
    ]);
    expect(await isReceived(1)()).toBeUndefined();
  },
);

test.each([
  ['HTTP', { http: 401 }],
  ['gRPC', { grpc: 8, details: 'too many requests' }],
] as const)(
  'span export: what a collector may take later over %s (%o) is sent again',
  async (way, answer) => {
    collector.refuse(1, answer);
    recordTask(1);
    await exporting(
      way === 'gRPC'
        ? { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_ENDPOINT: collector.grpcUrl }
        : { OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl },
      () => eventually(isReceived(1), 'the spans'),
    );
  },
);

test('span export: a collector that is down stops no file, and one that comes later has everything from the beginning', async () => {
  recordTask(1);
  const down = {
    OTEL_TRACES_EXPORTER: 'otlp,file',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_EXPORTER_OTLP_TIMEOUT: '300',
  };
  await exporting(down, async () => {
    await eventually(
      () => Promise.resolve(inFile().includes(syntheticTaskId(1)) || undefined),
      'the first in the file',
    );
    recordTask(2);
    await eventually(
      () => Promise.resolve(inFile().includes(syntheticTaskId(2)) || undefined),
      'the next in the file',
    );
  });
  const written = inFile();
  await exporting(
    { OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl, OTEL_EXPORTER_OTLP_TIMEOUT: '10000' },
    async () => {
      await eventually(isReceived(1), 'the earlier task at the collector');
      await eventually(isReceived(2), 'the later task at the collector');
    },
  );
  // The file goes on where it stood.
  expect(inFile()).toBe(written);
});

test('span export: once no more comes, what stands in the read model is still sent, and that is the end', async () => {
  const drained = new AbortController();
  collector.refuse(1, { http: 503 });
  await exporting(
    { OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl },
    () => {
      for (let task = 1; task <= 3; task += 1) recordTask(task);
      drained.abort();
      return Promise.resolve();
    },
    drained,
  );
  for (const task of [1, 2, 3]) expect(await isReceived(task)()).toBe(true);
});
