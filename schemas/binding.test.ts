import { CloudEvent, HTTP } from 'cloudevents';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import golden from '../tests/golden/nats-binding.json' with { type: 'json' };
import { readMessage, readSubmission, writeBinary, writeStructured, type Headers } from './binding.ts';
import { catalogue, cloudEventType } from './catalogue.ts';
import { taskIdOf, type Envelope } from './envelope.ts';
import { problemsOf } from './validate.ts';

interface ReadVector {
  title: string;
  headers: [string, string][];
  body?: string;
  bodyHex?: string;
  expect?: unknown;
  problems?: string[];
}
const readVectors = golden.read as unknown as ReadVector[];
const writeVectors = golden.write as unknown as {
  title: string;
  event: Envelope;
  structured: { headers: Headers; body: string };
  binary: { headers: Headers; body: string };
}[];

const bytesOf = (vector: ReadVector) =>
  vector.bodyHex === undefined ? new TextEncoder().encode(vector.body) : Buffer.from(vector.bodyHex, 'hex');
const textOf = (body: Uint8Array) => new TextDecoder().decode(body);

test.each(readVectors)('binding reads: $title', (vector) => {
  const reading = readMessage(vector.headers, bytesOf(vector));
  if (vector.expect) {
    expect(reading).toEqual(vector.expect);
    return;
  }
  if (!('problems' in reading)) throw new Error(`was read as ${JSON.stringify(reading)}`);
  expect(reading.problems).toHaveLength(vector.problems!.length);
  for (const part of vector.problems!) expect(reading.problems).toContainEqual(expect.stringContaining(part));
});

test.each(writeVectors)('binding writes: $title', ({ event, structured, binary }) => {
  const asStructured = writeStructured(event);
  expect({ headers: asStructured.headers, body: textOf(asStructured.body) }).toEqual(structured);
  const asBinary = writeBinary(event);
  expect({ headers: asBinary.headers, body: textOf(asBinary.body) }).toEqual(binary);
});

const attributeText = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
  // What CloudEvents forbids.
  .filter((text) => text.isWellFormed() && !/[\u0000-\u001f\u007f-\u009f]/.test(text));
const anyEvent = fc.record(
  {
    specversion: fc.constant('1.0' as const),
    id: attributeText,
    source: attributeText,
    type: attributeText,
    subject: attributeText,
    datacontenttype: fc.constant('application/json'),
    hop: fc.nat({ max: 50 }),
    sender: attributeText,
    data: fc.json().map((text) => JSON.parse(text) as unknown),
  },
  { requiredKeys: ['specversion', 'id', 'source', 'type', 'datacontenttype', 'data'] },
);

test('binding: what is written in either mode is read back equal', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const structured = writeStructured(event as Envelope);
      expect(readMessage(structured.headers, structured.body)).toEqual({ mode: 'structured', event });
      const binary = writeBinary(event as Envelope);
      expect(readMessage(binary.headers, binary.body)).toEqual({ mode: 'binary', event });
      for (const [, value] of binary.headers) expect(value).toMatch(/^[\u0021-\u007e]*$/);
    }),
  );
});

test('binding: whatever arrives, reading gives an answer and never throws', () => {
  const headers = fc.array(
    fc.tuple(fc.constantFrom('ce-id', 'ce-time', 'Content-Type', 'ce-__proto__', 'x'), fc.string()),
  );
  fc.assert(
    fc.property(
      headers,
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
      (given, body) => {
        const reading = readMessage(given, body);
        if ('problems' in reading) expect(reading.problems.length).toBeGreaterThan(0);
        else expect(['structured', 'binary', 'bare']).toContain(reading.mode);
      },
    ),
  );
});

test('binding: the CloudEvents library reads what is written, and what it writes is read', () => {
  const event = writeVectors[0]!.event;
  const { headers, body } = writeStructured(event);
  const theirs = HTTP.toEvent({
    headers: { 'content-type': headers[0]![1] },
    body: textOf(body),
  }) as CloudEvent<unknown>;
  expect(theirs).toMatchObject({
    id: event.id,
    source: event.source,
    subject: event.subject,
    hop: 2,
    data: event.data,
  });

  const sent = HTTP.structured(new CloudEvent({ ...event, time: '2026-01-31T09:30:00.000Z' }));
  const contentType = (sent.headers as Record<string, string>)['content-type']!;
  expect(readMessage([['content-type', contentType]], new TextEncoder().encode(sent.body as string))).toEqual(
    {
      mode: 'structured',
      event: { ...event, time: '2026-01-31T09:30:00.000Z' },
    },
  );
});

const place = { stream: 'YARD_INBOX', sequence: 7, timestampMs: Date.parse('2026-01-31T09:30:00.123Z') };
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const asked: Envelope = {
  specversion: '1.0',
  id: 'order-17',
  source: '/ci',
  type: 'dev.switchyard.task.submit.v1',
  datacontenttype: 'application/json',
  data: { repository: '/srv/code/slots' },
};
function submitted(reading: ReturnType<typeof readSubmission>): Envelope {
  if ('problems' in reading) throw new Error(reading.problems.join('\n'));
  return reading.event;
}

test('submission: structured and binary give the same event', () => {
  for (const { headers, body } of [writeStructured(asked), writeBinary(asked)]) {
    expect(readSubmission(headers, body, place)).toEqual({ event: asked });
  }
});

test('submission: a bare JSON object asks for a task, the same one however often it is read', () => {
  const bare = { goal: 'fix it', repository: '/srv/code/slots' };
  const first = submitted(readSubmission([], bytes(bare), place));
  expect(problemsOf(first)).toEqual([]);
  expect(first).toMatchObject({
    type: 'dev.switchyard.task.submit.v1',
    source: '/switchyard/bare/YARD_INBOX',
    time: '2026-01-31T09:30:00.123Z',
    data: bare,
  });
  // A consumer tells the time in milliseconds and a direct read in nanoseconds.
  const again = readSubmission([], bytes(bare), { ...place, timestampMs: place.timestampMs + 0.456789 });
  expect(submitted(again)).toEqual(first);
});

test('submission: the same bare object stored again is another task', () => {
  const places = [
    place,
    { ...place, sequence: 8 },
    { ...place, stream: 'OTHER' },
    { ...place, timestampMs: 5 },
  ];
  const ids = places.map((one) => taskIdOf(submitted(readSubmission([], bytes({ repository: '/r' }), one))));
  expect(new Set(ids).size).toBe(4);
});

test('submission: a bare object keeps the trace that its headers bring', () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const reading = readSubmission([['Traceparent', traceparent]], bytes({ repository: '/r' }), place);
  expect(submitted(reading).traceparent).toBe(traceparent);
});

test('submission: a task.submit that breaks its schema is read all the same, for it names a task to reject', () => {
  const data = { goal: '', tset: 'npm test' };
  expect(readSubmission([], bytes({ ...asked, data }), place)).toEqual({ event: { ...asked, data } });
});

test('submission: every request of the contract is accepted by its full type', () => {
  for (const row of catalogue.filter((one) => one.kind === 'request')) {
    expect(submitted(readSubmission([], bytes({ ...asked, type: cloudEventType(row) }), place)).type).toBe(
      cloudEventType(row),
    );
  }
});

const submit = 'nearest is dev.switchyard.task.submit.v1';
test.each([
  ['a misspelt type', 'dev.switchyard.task.sumbit.v1', 'unknown type or version', submit],
  ['a short type', 'task.cancel', 'unknown type or version', 'nearest is dev.switchyard.task.cancel.v1'],
  ['an unknown version', 'dev.switchyard.task.submit.v9', 'unknown type or version', submit],
  [
    "somebody else's type",
    'com.example.order',
    'unknown type',
    'accepted here: dev.switchyard.task.submit.v1',
  ],
  [
    'one of our events',
    'dev.switchyard.task.completed.v1',
    'not for asking, it is one of our events',
    'nearest',
  ],
  [
    'one of our commands',
    'dev.switchyard.run.start.v1',
    'not for asking, it is one of our commands',
    'nearest',
  ],
])('submission: %s is refused with the nearest that is accepted', (_, type, why, nearest) => {
  const reading = readSubmission([], bytes({ ...asked, type }), place);
  if (!('problems' in reading)) throw new Error('was accepted');
  expect(reading.problems).toEqual([expect.stringContaining(why)]);
  expect(reading.problems[0]).toContain(nearest);
});

test('submission: what cannot be read at all is refused with the reason', () => {
  const reading = readSubmission([], new TextEncoder().encode('fix it'), place);
  expect(reading).toEqual({ problems: [expect.stringContaining('not JSON')] });
});
