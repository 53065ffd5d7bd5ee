import { catalogue } from './catalogue.ts';
import { destinationsOf, intakesOf, type Destination, type Hole } from './destination.ts';
import { agentRoles, roles, type AgentRole, type Author, type Role, type Row } from './row.ts';
import {
  deadSubject,
  holderSubject,
  journalSubject,
  liveSubject,
  roleInbox,
  streamNames,
  submitSubject,
} from './subject.ts';

/** What a broker's user may say and hear; `allowResponses`: may answer what it was asked. */
export interface Permissions {
  publish: string[];
  subscribe: string[];
  allowResponses: boolean;
}

const rows: readonly Row[] = catalogue;

/** The bucket of those who are alive. */
export const registryBucket = (namespace: string) => `${namespace}_registry`;
/** The object store: what a run needs to go on at another host. */
export const artifactsBucket = (namespace: string) => `${namespace}_artifacts`;
/** The service that answers a submission at once. */
export const submitService = (namespace: string) => `${namespace}.tasks.submit`;

/**
 * Where a role's replies come in. Deliveries travel there too, with the subject that acknowledges them: who could hear
 * another's could read its work and take it away.
 */
export const inboxPrefixOf = (role: string) => `_INBOX_${role}`;

/** The journals that say what the processes are to let out. */
export const observedSubjects = (namespace: string) =>
  ['mode', 'crash'].map((role) =>
    journalSubject(namespace, { entity: 'mesh', taskId: 'mesh', role, id: '*' }),
  );

const anything: Hole = (name) => (name === 'purpose' ? '>' : '*');

function checkToken(what: string, value: string, pattern: RegExp): void {
  if (pattern.test(value)) return;
  throw new RangeError(
    `${what} ${JSON.stringify(value)} cannot stand in a subject: use letters, digits, _ and - only`,
  );
}

/** Reading a stream at will, with consumers that only live as long as they are read. */
function reads(stream: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}.>`,
    // Without a name, as some clients ask for a consumer, and with one.
    `$JS.API.CONSUMER.CREATE.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.INFO.${stream}.>`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
    `$JS.API.CONSUMER.DELETE.${stream}.>`,
    `$JS.FC.${stream}.>`,
  ];
}

/** Reading a journal without a consumer. */
function looksAt(stream: string): string[] {
  return [`$JS.API.STREAM.INFO.${stream}`, `$JS.API.DIRECT.GET.${stream}`, `$JS.API.DIRECT.GET.${stream}.>`];
}

/** Reading objects: where one stands, then its pieces, through a consumer that lives as long as they are read. */
function readsObjects(bucket: string): string[] {
  const stream = `OBJ_${bucket}`;
  return [
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.*.$O.${bucket}.C.*`,
    `$JS.API.CONSUMER.INFO.${stream}.*`,
    `$JS.API.CONSUMER.DELETE.${stream}.*`,
    `$JS.FC.${stream}.>`,
  ];
}

/** Putting objects: their pieces, then what they are. Nothing that is stored can be taken away. */
function putsObjects(bucket: string): string[] {
  return [`$O.${bucket}.C.*`, `$O.${bucket}.M.*`];
}

/** Taking from a durable consumer, and making it again should it be gone; its filter is part of the subject. */
function takes(stream: string, { consumer, subject }: Destination): string[] {
  const [fixed, open] = subject.split('.*', 2);
  return [
    `$JS.API.CONSUMER.INFO.${stream}.${consumer}`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
    `$JS.API.CONSUMER.CREATE.${stream}.${consumer}.${fixed}${open === undefined ? '' : '.>'}`,
    `$JS.ACK.${stream}.${consumer}.>`,
  ];
}

function ofRole(role: Role, namespace: string, pools: string[]): Permissions {
  const streams = streamNames(namespace);
  const objects = artifactsBucket(namespace);
  const says = rows.flatMap((row) => destinationsOf(row, namespace, anything, role));
  const journals = says.filter((one) => one.stream === 'events' && one.channel !== 'journal.mesh');
  const intakes = intakesOf(rows, role, namespace, pools, anything);
  const comesHome = rows.some((row) => row.kind === 'homecoming' && row.consumedBy.includes(role));
  const showsProgress = journals.some(
    (one) => one.channel === 'journal.run' || one.channel === 'journal.call',
  );
  const takesRequests = intakes.some((one) => one.channel === 'submit');
  return {
    publish: [
      ...says.map((one) => one.subject),
      // The sweep puts an answer that got lost into one's own inbox.
      ...(comesHome ? [roleInbox(namespace, role, '*')] : []),
      ...(showsProgress ? [liveSubject(namespace, '*', '>')] : []),
      ...(takesRequests ? [submitSubject(namespace)] : []),
      deadSubject(namespace, role, '*'),
      holderSubject(namespace, '>'),
      `$KV.${registryBucket(namespace)}.${role}.>`,
      '$JS.API.INFO',
      // A journal is read without a consumer: a role that could make one could have events delivered anywhere.
      ...looksAt(streams.events),
      ...reads(`KV_${registryBucket(namespace)}`),
      // Whether something waits for a subject, as a count; what it says only its receiver is handed.
      `$JS.API.STREAM.INFO.${streams.inbox}`,
      ...(agentRoles.includes(role as AgentRole) ? [...readsObjects(objects), ...putsObjects(objects)] : []),
      ...intakes.flatMap((one) => takes(streams.inbox, one)),
    ],
    subscribe: [
      `${inboxPrefixOf(role)}.>`,
      '$SRV.>',
      holderSubject(namespace, `${role}.>`),
      // An act is called off the moment that its journal moves on.
      ...journals.map((one) => one.subject),
      // Whoever is told to say more says it at once.
      ...observedSubjects(namespace),
      ...(takesRequests ? [submitService(namespace)] : []),
    ],
    allowResponses: true,
  };
}

function ofOperator(namespace: string): Permissions {
  const streams = streamNames(namespace);
  return {
    publish: [
      ...rows
        .flatMap((row) => destinationsOf(row, namespace, anything, 'operator'))
        .map((one) => one.subject),
      submitService(namespace),
      `${namespace}.query.>`,
      // A dead letter that is retried goes back to where it waited.
      `${namespace}.inbox.>`,
      '$SRV.>',
      '$JS.API.INFO',
      '$JS.API.STREAM.NAMES',
      '$JS.API.STREAM.LIST',
      ...reads(streams.events),
      ...reads(streams.dead),
      ...reads(`KV_${registryBucket(namespace)}`),
      ...readsObjects(artifactsBucket(namespace)),
      ...looksAt(streams.inbox),
      `$JS.API.STREAM.MSG.GET.${streams.inbox}`,
      ...['NAMES', 'LIST'].flatMap((verb) =>
        [streams.inbox, streams.events, streams.dead].map((stream) => `$JS.API.CONSUMER.${verb}.${stream}`),
      ),
      `$JS.API.CONSUMER.INFO.${streams.inbox}.*`,
    ],
    subscribe: [`${namespace}.>`, '_INBOX.>'],
    allowResponses: false,
  };
}

/** Whoever shows a mesh: reads the record without a consumer, hears who is alive, answers questions, and says that it lives. */
function ofObserver(namespace: string): Permissions {
  const streams = streamNames(namespace);
  const registry = registryBucket(namespace);
  return {
    publish: [
      '$JS.API.INFO',
      ...looksAt(streams.events),
      ...looksAt(`KV_${registry}`),
      `$KV.${registry}.observer.>`,
      // How long the queues are.
      `$JS.API.CONSUMER.LIST.${streams.inbox}`,
    ],
    subscribe: [
      `${inboxPrefixOf('observer')}.>`,
      '$SRV.>',
      `${namespace}.event.>`,
      `$KV.${registry}.>`,
      `${namespace}.query.>`,
    ],
    allowResponses: true,
  };
}

/** What a page in a browser may hear of a mesh, and which of its services it may ask. */
export const browserReach = (namespace: string) => ({
  hears: [`${namespace}.event.>`, `${namespace}.live.>`],
  asks: [`${namespace}.query.>`],
});

/**
 * What the broker lets an author say and hear, out of the rows. `pools`: those that inference may serve. `admin` is the launcher, which makes streams and gives back what a dead process held.
 * Throws a RangeError for a namespace or pool that would widen a subject.
 */
export function permissionsOf(
  author: Author | 'admin' | 'observer',
  namespace: string,
  pools: string[],
): Permissions {
  checkToken('the namespace', namespace, /^[\w-]+(\.[\w-]+)*$/);
  for (const pool of pools) checkToken('the pool', pool, /^[\w-]+$/);
  if (author === 'admin') return { publish: ['>'], subscribe: ['>'], allowResponses: true };
  const { publish, subscribe, allowResponses } =
    author === 'operator'
      ? ofOperator(namespace)
      : author === 'observer'
        ? ofObserver(namespace)
        : ofRole(author, namespace, pools);
  return { publish: [...new Set(publish)], subscribe: [...new Set(subscribe)], allowResponses };
}

/** Everyone that the broker knows by name. */
export const brokerUsers = [...roles, 'observer', 'operator', 'admin'] as const;
