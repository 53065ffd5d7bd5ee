import { distance } from 'fastest-levenshtein';
import { attributeProblems, isIntegerAttribute } from './attributes.ts';
import { catalogue, cloudEventType, rowOfCloudEventType } from './catalogue.ts';
import { deriveId, shortType, type Envelope } from './envelope.ts';
import { decodeHeaderText, encodeHeaderText } from './header-text.ts';
import { jsonOf, jsonProblem, mediaTypeOf, objectOf, textOf, Unreadable } from './json-body.ts';
import type { Row } from './row.ts';

/** Headers as they stand on a NATS message, in order. */
export type Headers = readonly (readonly [name: string, value: string])[];

export type Reading =
  | { mode: 'structured' | 'binary'; event: Envelope }
  /** A JSON object that is no CloudEvent; it means something only where the receiver says so. */
  | { mode: 'bare'; bare: Record<string, unknown> }
  | { problems: string[] };

const structuredType = 'application/cloudevents';

/** Adds the reason to the problems instead of stopping, so that a sender sees all of them at once. */
function attempt(problems: string[], read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    problems.push(error.message);
  }
}

function readStructured(body: Record<string, unknown>, contentType: string | undefined): Reading {
  const problems: string[] = [];
  const { type, charset } = mediaTypeOf(contentType ?? structuredType);
  if (type !== structuredType && type !== `${structuredType}+json`) {
    problems.push(`Content-Type: only the JSON format of CloudEvents is understood, not ${type}`);
  }
  if (charset && charset !== 'utf-8') problems.push(`Content-Type: only UTF-8 is understood, not ${charset}`);
  const { data_base64: encoded, ...rest } = body;
  if (encoded !== undefined && encoded !== null) {
    problems.push('data_base64: only JSON is understood, put it into data');
  }
  // The JSON format says that an attribute which is null was not set.
  const set = Object.entries(rest).filter(([name, value]) => value !== null || name === 'data');
  const event = Object.fromEntries(set);
  problems.push(...attributeProblems(event));
  if (typeof event['datacontenttype'] === 'string') {
    const problem = jsonProblem('datacontenttype', event['datacontenttype']);
    if (problem) problems.push(problem);
  }
  return problems.length > 0 ? { problems } : { mode: 'structured', event: event as unknown as Envelope };
}

function readBinary(attributes: Headers, body: Uint8Array): Reading {
  const problems: string[] = [];
  const read = new Map<string, unknown>();
  const unreadable = new Set<string>();
  for (const [header, raw] of attributes) {
    const name = header.slice('ce-'.length).toLowerCase();
    attempt(problems, () => {
      unreadable.add(name);
      if (name === 'data') throw new Unreadable(`${header}: data is the body, not a header`);
      if (read.has(name)) throw new Unreadable(`${header}: is given more than once`);
      const value = decodeHeaderText(header, raw);
      // A header can bring a number only as text.
      read.set(name, isIntegerAttribute(name) && /^-?\d+$/.test(value) ? Number(value) : value);
      unreadable.delete(name);
    });
  }
  const event: Record<string, unknown> = Object.fromEntries(read);
  const said = (problem: string) => [...unreadable].some((name) => problem.startsWith(`${name}:`));
  problems.push(...attributeProblems(event).filter((problem) => !said(problem)));
  const mediaType = String(event['datacontenttype'] ?? 'application/json');
  const mediaProblem = jsonProblem('ce-datacontenttype', mediaType);
  if (mediaProblem) problems.push(mediaProblem);
  else if (body.length > 0) attempt(problems, () => void (event['data'] = jsonOf(textOf(body))));
  return problems.length > 0 ? { problems } : { mode: 'binary', event: event as unknown as Envelope };
}

/**
 * Reads one NATS message by the CloudEvents binding: structured, binary, or a bare JSON object.
 * Never throws: what cannot be read comes back as `problems`, every reason that could be found.
 * Only JSON data in UTF-8 is understood, since every row of the contract is JSON. Data is not validated here.
 */
export function readMessage(headers: Headers, body: Uint8Array): Reading {
  const contentType = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1].trim();
  const claimed = contentType?.toLowerCase().startsWith(structuredType) ?? false;
  const attributes = headers.filter(([name]) => name.toLowerCase().startsWith('ce-'));
  if (contentType?.toLowerCase().startsWith(`${structuredType}-batch`)) {
    return { problems: ['Content-Type: batches are not accepted, publish one message for each event'] };
  }
  if (!claimed && attributes.length > 0) return readBinary(attributes, body);
  try {
    const object = objectOf(body);
    // A plain `nats pub` sets no header, so a body that calls itself a CloudEvent is taken for one.
    if (claimed || Object.hasOwn(object, 'specversion')) {
      return readStructured(object, claimed ? contentType : undefined);
    }
    return { mode: 'bare', bare: object };
  } catch (error) {
    if (error instanceof Unreadable) return { problems: [error.message] };
    throw error;
  }
}

/** One message as it is published. */
export interface Written {
  headers: [name: string, value: string][];
  body: Uint8Array;
}

/** One event as a structured message, the way all of ours travel. */
export function writeStructured(event: Envelope): Written {
  return {
    headers: [['Content-Type', `${structuredType}+json`]],
    body: new TextEncoder().encode(JSON.stringify(event)),
  };
}

/** One event as a binary message: attributes as percent-encoded `ce-` headers, data as the body. */
export function writeBinary(event: Envelope): Written {
  const { data, ...attributes } = event;
  const headers = Object.entries({ datacontenttype: 'application/json', ...attributes })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]): [string, string] => [`ce-${name}`, encodeHeaderText(String(value))]);
  return { headers, body: new TextEncoder().encode(data === undefined ? '' : JSON.stringify(data)) };
}

/** Where the broker stored a message; it gives a bare request the identity that it did not bring. */
export interface Place {
  stream: string;
  sequence: number;
  /** When the broker stored it, milliseconds since 1970 UTC; parts of a millisecond are left out. */
  timestampMs: number;
}

const requests: readonly Row[] = catalogue.filter((one) => one.kind === 'request');
const isRequest = (name: string) => requests.some((one) => one.type === name);

/** Why a CloudEvents type is no request, with the nearest that is. */
function requestProblem(type: string): string | undefined {
  const found = rowOfCloudEventType(type);
  if (!('problem' in found) && isRequest(found.type)) return undefined;
  const accepted = requests.map(cloudEventType);
  const gap = (one: string) => distance(shortType(one), shortType(type));
  const nearest = accepted.toSorted((one, other) => gap(one) - gap(other))[0]!;
  const what =
    'problem' in found
      ? `unknown type or version "${type}"`
      : `"${type}" is not for asking, it is one of our ${found.kind}s`;
  return `type: ${what}; the nearest is ${nearest}; accepted here: ${accepted.join(', ')}`;
}

function bareRequest(bare: Record<string, unknown>, headers: Headers, place: Place): Envelope {
  const time = new Date(place.timestampMs).toISOString();
  const trace = headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name, value]) => (name === 'traceparent' || name === 'tracestate') && value !== '');
  return {
    specversion: '1.0',
    id: deriveId('bare', place.stream, place.sequence, time),
    source: `/switchyard/bare/${place.stream}`,
    type: cloudEventType(requests.find((one) => one.type === 'task.submit')!),
    time,
    datacontenttype: 'application/json',
    ...Object.fromEntries(trace),
    data: bare,
  };
}

/**
 * Reads what came in at `<namespace>.submit`: a request as a CloudEvent, structured or binary, or a bare JSON object,
 * which asks for a task. The same stored message read again, by any process, gives the same event.
 * Its data is not validated here: a `task.submit` that breaks its schema still names a task to be rejected.
 */
export function readSubmission(
  headers: Headers,
  body: Uint8Array,
  place: Place,
): { event: Envelope } | { problems: string[] } {
  const reading = readMessage(headers, body);
  if ('problems' in reading) return reading;
  if (reading.mode === 'bare') return { event: bareRequest(reading.bare, headers, place) };
  const problem = requestProblem(reading.event.type);
  return problem ? { problems: [problem] } : { event: reading.event };
}
