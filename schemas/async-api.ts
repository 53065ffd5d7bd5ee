import { cloudEventType } from './catalogue.ts';
import { destinationsOf, type Hole } from './destination.ts';
import { envelopeSchema, rowSchema, type JsonSchema } from './json-schema.ts';
import { agentRoles, type Author, type Row } from './row.ts';
import { streamNames } from './subject.ts';

const parameters: Record<Parameters<Hole>[0], JsonSchema> = {
  taskId: { description: "The task's id, a UUID" },
  role: { description: 'The agent that runs', enum: [...agentRoles] },
  runId: { description: "The run's id, a UUID" },
  callId: { description: "The model call's id, a UUID" },
  id: { description: "The dead letter's id, a UUID" },
  pool: { description: 'A set of inference workers that serve the same models' },
  purpose: { description: 'What the timer is for' },
};

const titles: [start: string, description: string][] = [
  ['submit', 'Every request from outside, by its CloudEvents type; a bare JSON object asks for a task.'],
  [
    'journal',
    'A journal: all events on one literal subject, appended by compare-and-set. The permanent record.',
  ],
  ['inbox.role', 'What waits for a role; handed to one of its processes and gone once it is acknowledged.'],
  ['inbox.timer', 'What a role has set for itself; put back with a delay until it is due.'],
  ['inbox.pool', 'What waits for a pool of inference workers.'],
];

const schemaRef = (name: string) => ({ $ref: `#/components/schemas/${name}` });

/** Within the document a schema has the document's dialect and is named by its place. */
function withoutIdentity(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([word]) => word !== '$schema' && word !== '$id'));
}

function messageOf(row: Row): JsonSchema {
  return {
    name: cloudEventType(row),
    title: row.type,
    summary: row.summary,
    contentType: 'application/cloudevents+json',
    payload: {
      allOf: [
        schemaRef('envelope'),
        { type: 'object', properties: { type: { const: cloudEventType(row) }, data: schemaRef(row.type) } },
      ],
    },
    'x-switchyard-kind': row.kind,
  };
}

interface Channel {
  address: string;
  description?: string;
  messages: Record<string, { $ref: string }>;
  parameters?: Record<string, JsonSchema>;
  'x-jetstream': JsonSchema;
}

function channelsOf(rows: readonly Row[], namespace: string): Record<string, Channel> {
  const streams = streamNames(namespace);
  const channels: Record<string, Channel> = {};
  for (const row of rows) {
    const used = new Map<string, JsonSchema>();
    const hole: Hole = (name) => {
      used.set(name, parameters[name]);
      return `{${name}}`;
    };
    for (const { channel, subject, stream, consumer } of destinationsOf(row, namespace, hole)) {
      const inSubject = [...used].filter(([name]) => subject.includes(`{${name}}`));
      channels[channel] ??= {
        address: subject,
        description: titles.find(([start]) => channel.startsWith(start))?.[1],
        messages: {},
        ...(inSubject.length > 0 ? { parameters: Object.fromEntries(inSubject) } : {}),
        'x-jetstream':
          stream === 'events'
            ? { stream: streams.events, retention: 'limits', append: 'Nats-Expected-Last-Subject-Sequence' }
            : { stream: streams.inbox, retention: 'workqueue', consumer, ackPolicy: 'explicit' },
      };
      channels[channel].messages[row.type] = { $ref: `#/components/messages/${row.type}` };
    }
  }
  return channels;
}

/** One operation for each author and channel: who sends what where, and who takes what from where. */
function operationsOf(rows: readonly Row[], namespace: string): Record<string, JsonSchema> {
  const operations = new Map<
    string,
    { action: 'send' | 'receive'; author: Author; channel: string; types: Set<string> }
  >();
  const add = (action: 'send' | 'receive', author: Author, channel: string, type: string) => {
    const key = `${author}.${action}.${channel}`;
    const known = operations.get(key) ?? { action, author, channel, types: new Set<string>() };
    operations.set(key, known);
    known.types.add(type);
  };
  const hole: Hole = (name) => `{${name}}`;
  for (const row of rows) {
    for (const author of row.publishedBy) {
      for (const { channel } of destinationsOf(row, namespace, hole, author))
        add('send', author, channel, row.type);
    }
    for (const consumer of row.consumedBy) {
      for (const { channel } of destinationsOf({ ...row, consumedBy: [consumer] }, namespace, hole)) {
        add('receive', consumer, channel, row.type);
      }
    }
  }
  return Object.fromEntries(
    [...operations].map(([key, { action, author, channel, types }]) => [
      key,
      {
        action,
        channel: { $ref: `#/channels/${channel}` },
        messages: [...types].map((type) => ({ $ref: `#/channels/${channel}/messages/${type}` })),
        tags: [{ name: author }],
        'x-switchyard-role': author,
      },
    ]),
  );
}

/** The AsyncAPI 3.0 document of a mesh, whole in itself. JetStream's settings are extensions: the NATS binding has none. */
export function asyncApi(rows: readonly Row[], namespace: string, version: string): JsonSchema {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Switchyard',
      version,
      description:
        'Coding agents as event-driven services. Every message is a CloudEvent, structured JSON, on NATS JetStream. ' +
        `Subjects begin with the namespace, here ${namespace}.`,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/cloudevents+json',
    servers: {
      local: { host: 'localhost:4222', protocol: 'nats', description: 'NATS 2.10 or newer with JetStream' },
    },
    channels: channelsOf(rows, namespace),
    operations: operationsOf(rows, namespace),
    components: {
      messages: Object.fromEntries(rows.map((row) => [row.type, messageOf(row)])),
      schemas: {
        envelope: withoutIdentity(envelopeSchema()),
        ...Object.fromEntries(rows.map((row) => [row.type, withoutIdentity(rowSchema(row))])),
      },
    },
  };
}
