import { expect, test } from 'vitest';
import {
  deriveId,
  message,
  taskIdOf,
  traceparentOf,
  type Envelope,
  type Lineage,
} from '../schemas/envelope.ts';
import { lineageOf } from './relay.ts';

const traceparent = /^00-(?<trace>[0-9a-f]{32})-(?<span>[0-9a-f]{16})-01$/;
const partsOf = (event: Envelope) =>
  traceparent.exec(event.traceparent ?? '')!.groups as { trace: string; span: string };
const taskId = taskIdOf({ source: '/ci', id: '42' });

/** A chain as a task makes it: each message is caused by the one before it, through journals and inboxes. */
function chain(first: Lineage, count: number): Envelope[] {
  const events: Envelope[] = [];
  for (let index = 0; index < count; index += 1) {
    const cause = events.at(-1);
    const lineage = cause ? lineageOf(cause, taskId, cause.id) : first;
    // Read again from the wire, as every receiver does.
    const event = message('task.cancel', deriveId(taskId, index), 'manager', 'coder', lineage, 0, {
      taskId,
    } as never);
    events.push(JSON.parse(JSON.stringify(event)) as Envelope);
  }
  return events;
}
const plain: Lineage = { taskId, correlationId: taskId, causationId: 'request', hop: 0, cyclesLeft: 2 };

test('trace context: every message of a task is in one trace, which is named after the task', () => {
  const events = chain(plain, 12);
  for (const event of events) {
    expect(event.traceparent).toMatch(traceparent);
    expect(partsOf(event).trace).toBe(taskId.replaceAll('-', ''));
    expect(event.correlationid).toBe(taskId);
  }
});

test("trace context: a span is its own event's, so who repeats a message repeats its span, and no other has it", () => {
  const events = chain(plain, 12);
  for (const event of events) expect(partsOf(event).span).toBe(event.id.replaceAll('-', '').slice(0, 16));
  expect(new Set(events.map((event) => partsOf(event).span)).size).toBe(12);
  expect(chain(plain, 12)).toEqual(events);
});

test('trace context: the parent of a span is that of the message which caused it', () => {
  const events = chain(plain, 12);
  for (const [index, event] of events.entries()) {
    if (index === 0) continue;
    const parent = traceparentOf(event.correlationid!, event.causationid!);
    expect(parent).toBe(events[index - 1]!.traceparent);
  }
});

test("trace context: a requester's trace goes on, with its state", () => {
  const theirs = '0af7651916cd43dd8448eb211c80319c';
  const events = chain(
    { ...plain, traceparent: `00-${theirs}-b7ad6b7169203331-01`, tracestate: 'vendor=1' },
    6,
  );
  for (const event of events) {
    expect(partsOf(event).trace).toBe(theirs);
    expect(event.tracestate).toBe('vendor=1');
    expect(event.correlationid).toBe(taskId);
  }
});

test.each(['', 'nonsense', '00-xyz-b7ad6b7169203331-01', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`])(
  "trace context: a requester's %j is no trace, and the task's own holds",
  (given) => {
    for (const event of chain({ ...plain, traceparent: given }, 2))
      expect(partsOf(event).trace).toBe(taskId.replaceAll('-', ''));
  },
);
