import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Child } from '../bus/launcher.ts';
import { observerDirectory } from '../config/state.ts';
import { cloudEventType, rowOf } from '../schemas/catalogue.ts';
import { taskIdOf } from '../schemas/envelope.ts';
import { adderTest } from './scenes.ts';
import { spansOf } from '../observability/spans.ts';
import { taxonomy } from '../observability/taxonomy.ts';
import { openCollector, type Collector, type ReceivedSpan } from './otlp-collector.ts';
import { undocumentedKeys } from './span-keys.ts';
import { eventually } from './yard-parts.ts';
import { namespace, openYard, type Yard } from './yard.ts';

let yard: Yard;
let collector: Collector;
let observer: Child;
const environment: Record<string, string> = {};
const theirs = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' };

beforeAll(async () => {
  collector = await openCollector();
  Object.assign(environment, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=abc',
    OTEL_TRACES_EXPORTER: 'otlp,file',
  });
  yard = await openYard({ faults: { coder: ['acted=edit-file.2.1:hold'] }, leaseMs: 6000, environment });
  observer = await yard.launcher.start('observer');
});
afterAll(async () => {
  await yard?.stop();
  await collector?.close();
});

/** By id, so that what was sent again counts once. */
const receivedOf = (trace: string) => [
  ...new Map(collector.spans.filter((one) => one.traceId === trace).map((one) => [one.spanId, one])).values(),
];
async function wholeTrace(taskId: string, trace = taskId.replaceAll('-', '')): Promise<ReceivedSpan[]> {
  const rootOf = () => receivedOf(trace).find((one) => one.name === taxonomy.task.name);
  await eventually(() => Promise.resolve(rootOf()), 'the span of the task to be received');
  const expected = async () => spansOf(namespace, await yard.events(taskId)).length;
  await eventually(
    async () => ((await expected()) === receivedOf(trace).length ? true : undefined),
    'every span of the record to be received',
  );
  return receivedOf(trace);
}
const nameOf = (one: ReceivedSpan) =>
  one.name.replace(/^(send|process) .*/, '$1').replace(/^chat .*/, 'model');
/** Below what each kind of span hangs. */
const keyOf: Record<string, string[]> = {
  'agent.task': [''],
  'agent.review': ['agent.task'],
  'agent.route': ['agent.task', 'agent.review'],
  'agent.run': ['agent.task', 'agent.review'],
  'agent.tool_call': ['agent.run'],
  model: ['agent.run'],
  'agent.checkpoint.save': ['agent.task', 'agent.route', 'agent.run', 'model'],
  send: ['agent.checkpoint.save'],
  process: ['send', 'agent.task'],
};

test('traces: a collector receives the whole tree of a task whose coder was killed, over HTTP', async () => {
  collector.refuse(1);
  const taskId = await yard.submit();
  const holder = await yard.launcher.held('edit-file.2.1');
  holder.kill('SIGKILL');
  expect(await yard.ended(taskId)).toBe('task.completed');
  const spans = await wholeTrace(taskId);
  const byId = new Map(spans.map((one) => [one.spanId, one]));
  // Parent by parent: each hangs below a span of the same trace, of a kind that may hold it, and began no sooner.
  const wrong = spans.flatMap((one) => {
    const parent = byId.get(one.parentSpanId);
    const kind = parent ? nameOf(parent) : one.parentSpanId;
    return keyOf[nameOf(one)]?.includes(kind) ? [] : [`${one.name} hangs below ${kind || 'nothing'}`];
  });
  expect(wrong).toEqual([]);
  expect(spans.filter((one) => one.parentSpanId === '').map((one) => one.name)).toEqual(['agent.task']);
  const count = (name: string) => spans.filter((one) => nameOf(one) === name).length;
  expect([count('agent.route'), count('agent.run'), count('agent.review')]).toEqual([2, 2, 1]);
  expect(count('agent.checkpoint.save')).toBe((await yard.events(taskId)).length);
  expect(count('model')).toBe(3);
  expect(undocumentedKeys(spans)).toEqual([]);
  // Every role spoke for itself.
  expect(new Set(spans.map((one) => one.resource['service.name']))).toEqual(
    new Set(['manager', 'router', 'coder', 'reviewer', 'inference'].map((role) => `switchyard-${role}`)),
  );
  expect(collector.headers()['x-collector-key']).toBe('abc');
  expect(new Set(collector.ways)).toEqual(new Set(['http']));

  // It says that it went on, and where it broke off.
  const run = spans.find((one) => one.name === 'agent.run' && one.attributes['switchyard.role'] === 'coder')!;
  expect(run.attributes).toMatchObject({
    'switchyard.resumed': true,
    'switchyard.take_overs': 1,
    'switchyard.ending': 'done',
    'switchyard.pool': 'scripted',
  });
  expect(run.events.map((one) => one.name)).toContain('run.resumed');
  // How its process was, as the exporter knows it.
  expect(run.attributes['process.thread.count']).toBeGreaterThan(0);
  expect(run.attributes['process.memory.usage']).toBeGreaterThan(1_000_000);
  const tools = spans.filter(
    (one) => one.parentSpanId === run.spanId && one.attributes['gen_ai.tool.name'] === 'edit-file',
  );
  const [broken, resumed] = tools.toSorted((left, right) => Number(left.startNano - right.startNano));
  expect(broken!.status.code).toBe(2);
  expect(resumed!.links.map((one) => one.spanId)).toContain(broken!.spanId);
  expect(resumed!.attributes).toMatchObject({ 'switchyard.resumed': true, 'switchyard.step.adopted': true });
  expect(resumed!.resource['service.instance.id']).not.toBe(broken!.resource['service.instance.id']);
  expect(resumed!.attributes['switchyard.resumed.from']).toBe(broken!.resource['service.instance.id']);
  const route = spans.find((one) => one.name === 'agent.route')!;
  expect(route.attributes).toMatchObject({
    'gen_ai.request.model': 'scripted',
    'switchyard.hop': 0,
    'switchyard.hops_left': 5,
    'switchyard.cycles_left': 2,
    'switchyard.route.fallbacks': [],
  });
  expect(route.attributes['switchyard.route.confidence']).toBeGreaterThan(0);
  // The file goes at a pace of its own.
  await eventually(() => {
    const lines = readFileSync(join(observerDirectory(yard.stateDirectory), 'spans.jsonl'), 'utf8');
    return spans.every((one) => lines.includes(`"spanId":"${one.spanId}"`));
  }, 'every span to be in the file');
});

test('traces: an exporter that was killed sends what is left, over gRPC, below the span of who asked', async () => {
  environment['OTEL_EXPORTER_OTLP_ENDPOINT'] = collector.grpcUrl;
  environment['OTEL_EXPORTER_OTLP_PROTOCOL'] = 'grpc';
  const before = new Map(collector.spans.map((one) => [one.spanId, one.name]));
  collector.ways.length = 0;
  const asked = {
    specversion: '1.0',
    id: 'one',
    source: '/ci',
    type: cloudEventType(rowOf('task.submit')),
    traceparent: `00-${theirs.trace}-${theirs.span}-01`,
    data: { goal: 'Make the tests pass', repository: yard.repository, test: adderTest },
  };
  await yard.admin.jetstream.publish(`${namespace}.submit`, JSON.stringify(asked));
  const taskId = taskIdOf(asked);
  await yard.until(taskId, (_one, type) => type === 'run.replied');
  observer.kill('SIGKILL');
  expect(await yard.ended(taskId)).toBe('task.completed');
  const spans = await wholeTrace(taskId, theirs.trace);
  expect(spans.find((one) => one.name === 'agent.task')?.parentSpanId).toBe(theirs.span);
  expect(collector.ways).toContain('grpc');
  // What was sent before is not sent under other ids.
  const again = collector.spans.filter((one) => before.has(one.spanId));
  for (const one of again) expect(one.name).toBe(before.get(one.spanId));
});
