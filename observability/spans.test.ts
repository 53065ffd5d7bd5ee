import { expect, test } from 'vitest';
import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import { deriveId, message } from '../schemas/envelope.ts';
import { examples } from '../schemas/examples.ts';
import type { Role } from '../schemas/row.ts';
import { undocumentedKeys } from '../tests/span-keys.ts';
import { openTrace, spansOf as madeOf } from './spans.ts';
import type { RecordedEvent } from './task-view.ts';

const namespace = 'yard';

/** Whatever is made of a record, the table of spans shows each of its keys. */
function spansOf(...given: Parameters<typeof madeOf>) {
  const spans = madeOf(...given);
  expect(undocumentedKeys(spans)).toEqual([]);
  return spans;
}
const taskId = '7b0e2a1c-0000-4000-8000-000000000001';
type Name = EventOf<'task' | 'route' | 'run' | 'call'>;

/** A record with the events of the contract's examples, each a second after the one before. */
function recordOf(
  list: [name: Name, journal: string, sender: Role, more?: Record<string, unknown>][],
): RecordedEvent[] {
  return list.map(([name, journal, sender, more], index) => {
    const atMs = 1_000_000 + index * 1000;
    const example = examples[name] as { given: object };
    const given = { ...example.given, atMs, inputId: deriveId('input', index), process: `${sender}.1` };
    const data = { ...example, ...more, given } as unknown as DataOf<'task.rejected'>;
    const lineage = { taskId, correlationId: taskId, causationId: 'none', hop: 0, cyclesLeft: 2 };
    const id = deriveId('event', index);
    const event = message(name as 'task.rejected', id, sender, 'record', lineage, atMs, data);
    return { journal: `yard.event.${taskId}.${journal}`, sequence: index + 1, event, atMs };
  });
}
const { runId } = examples['route.decided'];
const { callId } = examples['call.intended'];
const run = `run.coder.${runId}`;
const call = `call.${callId}`;
const accepted = [
  'task.accepted',
  'task',
  'manager',
  { next: { ...examples['task.accepted'].next, runId } },
] as const;

test('spans: a request that is rejected is a task of no length that says why', () => {
  const spans = spansOf(namespace, recordOf([['task.rejected', 'task', 'manager']]));
  const root = spans.find((one) => one.name === 'agent.task')!;
  expect(root.error).toBe(examples['task.rejected'].reasons.join('; '));
  expect(root.attributes).toMatchObject({ 'switchyard.task.state': 'rejected' });
});

test('spans: a task that failed is an error that says why', () => {
  const spans = spansOf(namespace, recordOf([[...accepted], ['task.failed', 'task', 'manager']]));
  const root = spans.find((one) => one.name === 'agent.task')!;
  expect(root.error).toBe(examples['task.failed'].reason);
  expect(root.attributes).toMatchObject({ 'switchyard.task.state': 'failed' });
});

test('spans: a task that is cancelled before it was routed leaves nothing open', () => {
  const trace = openTrace(namespace);
  const spans = recordOf([
    [...accepted],
    ['route.waiting', `route.${runId}`, 'router', { runId }],
    ['task.cancelled', 'task', 'manager'],
  ]).flatMap((one) => trace.take(one));
  const route = spans.find((one) => one.name === 'agent.route')!;
  expect(route.error).toBe('the task was cancelled before it was decided');
  expect(route.events.map((one) => one.name)).toEqual(['route.waiting']);
  expect(trace.isOver()).toBe(true);
});

test('spans: a call that nobody asked any more, and a call whose worker died, are told as what they are', () => {
  const spans = spansOf(
    namespace,
    recordOf([
      ['call.failed', 'call.one', 'inference', { callId: 'one', cause: 'breaker' }],
      ['call.intended', call, 'inference'],
      ['call.taken_over', call, 'inference', { callId, epoch: 2, from: 'inference.1' }],
      ['call.completed', call, 'inference'],
    ]),
  ).filter((one) => one.kind === 'client');
  expect(spans.map((one) => one.attributes['error.type'])).toEqual(['breaker', 'crash', undefined]);
  const [, broken, resumed] = spans;
  expect(broken!.error).toContain('inference.1 is gone');
  expect(resumed!.attributes).toMatchObject({ 'switchyard.resumed': true, 'switchyard.epoch': 2 });
  expect(resumed!.links.map((one) => one.spanId)).toContain(broken!.spanId);
});

test('spans: a run that a person let begin again links to the one that was stopped', () => {
  const next = { ...examples['task.resumed'].next, runId: 'second' };
  const spans = spansOf(
    namespace,
    recordOf([
      [...accepted],
      ['run.started', run, 'coder'],
      ['task.paused', 'task', 'manager'],
      ['run.concluded', run, 'coder', { ending: 'stopped', outcome: undefined, runId }],
      ['task.resumed', 'task', 'manager', { next }],
      ['run.started', 'run.coder.second', 'coder', { work: next }],
      ['run.concluded', 'run.coder.second', 'coder', { runId: 'second', ending: 'done' }],
      ['task.completed', 'task', 'manager'],
    ]),
  );
  const [stopped, second] = spans.filter((one) => one.name === 'agent.run');
  expect(stopped!.error).toMatch(/^stopped: /);
  expect(second!.links.map((one) => one.spanId)).toEqual([stopped!.spanId]);
  expect(second!.attributes).toMatchObject({ 'switchyard.resumed': true, 'switchyard.ending': 'done' });
  const root = spans.find((one) => one.name === 'agent.task')!;
  expect(root.events.map((one) => one.name)).toEqual(['task.paused', 'task.resumed']);
  expect(root.attributes).toMatchObject({ 'switchyard.resumed': true, 'switchyard.task.state': 'completed' });
  for (const span of spans) expect(span.traceId).toBe(taskId.replaceAll('-', ''));
});

test('spans: whoever makes them again makes the same ones, also from the middle on', () => {
  const record = recordOf([
    [...accepted],
    ['route.decided', `route.${runId}`, 'router', { runId }],
    ['run.started', run, 'coder'],
    ['call.intended', call, 'inference', { runId }],
    ['call.completed', call, 'inference', { runId }],
    ['run.concluded', run, 'coder', { runId }],
    ['task.completed', 'task', 'manager'],
  ]);
  const whole = spansOf(namespace, record);
  for (let cut = 0; cut <= record.length; cut += 1) {
    const before = spansOf(namespace, record.slice(0, cut));
    const again = openTrace(namespace);
    for (const one of record.slice(0, cut)) again.take(one);
    expect([...before, ...record.slice(cut).flatMap((one) => again.take(one))]).toEqual(whole);
  }
  expect(new Set(whole.map((one) => one.spanId)).size).toBe(whole.length);
});

test("spans: the gateway's id of a request stands on the span of its call, failed or not", () => {
  const reply = { ...examples['call.completed'].reply, requestId: 'gateway-1' };
  const ends = [
    ['call.completed', { reply }],
    ['call.failed', { requestId: 'gateway-1' }],
  ] as const;
  for (const [name, more] of ends) {
    const spans = spansOf(
      namespace,
      recordOf([[...accepted], ['call.intended', call, 'inference'], [name, call, 'inference', more]]),
    );
    const ids = spans.map((one) => one.attributes['switchyard.gateway.request.id']).filter(Boolean);
    expect(ids, name).toContain('gateway-1');
  }
});
