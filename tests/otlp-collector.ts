import { Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as it came over the wire. */
export interface ReceivedSpan {
  resource: Record<string, unknown>;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: number;
  startNano: bigint;
  endNano: bigint;
  attributes: Record<string, unknown>;
  events: { name: string; attributes: Record<string, unknown> }[];
  links: { traceId: string; spanId: string }[];
  status: { code: number; message: string };
}

export interface ReceivedLog {
  resource: Record<string, unknown>;
  severity: string;
  body: unknown;
  attributes: Record<string, unknown>;
  traceId: string;
}

export interface ReceivedMetric {
  resource: Record<string, unknown>;
  name: string;
  unit: string;
  /** Of a histogram: the upper ends of its buckets. */
  bounds: number[];
}

/** A collector that takes OTLP over HTTP and gRPC and keeps what it was sent. */
export interface Collector {
  httpUrl: string;
  grpcUrl: string;
  spans: ReceivedSpan[];
  logs: ReceivedLog[];
  metrics: ReceivedMetric[];
  /** Headers of the last request. */
  headers(): Record<string, unknown>;
  /** How it came: `http` or `grpc`, each request. */
  ways: string[];
  /** Answers so many requests with this first: a status of HTTP, or one of gRPC with its words; 503 where left out. */
  refuse(count: number, answer?: { http: number } | { grpc: number; details: string }): void;
  close(): Promise<void>;
}

export async function openCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const logs: ReceivedLog[] = [];
  const metrics: ReceivedMetric[] = [];
  const ways: string[] = [];
  let lastHeaders: Record<string, unknown> = {};
  let refusals = 0;
  let refusal: Parameters<Collector['refuse']>[1];
  const take = (what: string, body: Buffer) => {
    if (what === 'traces') spans.push(...spansIn(body));
    else if (what === 'logs') logs.push(...logsIn(body));
    else metrics.push(...metricsIn(body));
  };
  const http = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      lastHeaders = request.headers;
      if (refusals > 0) {
        refusals -= 1;
        response.writeHead(refusal && 'http' in refusal ? refusal.http : 503).end();
        return;
      }
      ways.push('http');
      take(request.url!.split('/').at(-1)!, Buffer.concat(chunks));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const grpc = new Server();
  for (const [what, service] of [
    ['traces', 'trace.v1.TraceService'],
    ['logs', 'logs.v1.LogsService'],
    ['metrics', 'metrics.v1.MetricsService'],
  ] as const) {
    const path = `/opentelemetry.proto.collector.${service}/Export`;
    const empty = () => Buffer.alloc(0);
    const asIs = (bytes: Buffer) => bytes;
    grpc.addService(
      {
        Export: {
          path,
          requestStream: false,
          responseStream: false,
          requestSerialize: asIs,
          requestDeserialize: asIs,
          responseSerialize: empty,
          responseDeserialize: asIs,
        },
      },
      {
        Export: (
          call: { request: Buffer },
          done: (error: Partial<ServiceError> | null, reply?: unknown) => void,
        ) => {
          if (refusals > 0 && refusal && 'grpc' in refusal) {
            refusals -= 1;
            done({ code: refusal.grpc, details: refusal.details });
            return;
          }
          ways.push('grpc');
          take(what, call.request);
          done(null, {});
        },
      },
    );
  }
  const grpcPort = await new Promise<number>((resolve, reject) =>
    grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  return {
    httpUrl: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    grpcUrl: `http://127.0.0.1:${grpcPort}`,
    spans,
    logs,
    metrics,
    ways,
    headers: () => lastHeaders,
    refuse(count, answer) {
      refusals = count;
      refusal = answer;
    },
    async close() {
      grpc.forceShutdown();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

type Field = { number: number; bytes: Buffer; value: bigint };

/** The fields of a protobuf message in their order. */
function fieldsOf(bytes: Buffer): Field[] {
  const found: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    const none = Buffer.alloc(0);
    if ((tag & 7) === 0) found.push({ number, bytes: none, value: varint() });
    else if ((tag & 7) === 2) {
      const length = Number(varint());
      found.push({ number, bytes: bytes.subarray(at, at + length), value: 0n });
      at += length;
    } else {
      const length = (tag & 7) === 1 ? 8 : 4;
      const slice = bytes.subarray(at, at + length);
      found.push({ number, bytes: slice, value: length === 8 ? slice.readBigUInt64LE() : 0n });
      at += length;
    }
  }
  return found;
}

const all = (fields: Field[], number: number) => fields.filter((one) => one.number === number);
const one = (fields: Field[], number: number) => all(fields, number)[0];
const text = (fields: Field[], number: number) => one(fields, number)?.bytes.toString('utf8') ?? '';
const hex = (fields: Field[], number: number) => one(fields, number)?.bytes.toString('hex') ?? '';

function valueOf(bytes: Buffer | undefined): unknown {
  const [field] = bytes ? fieldsOf(bytes) : [];
  if (!field) return undefined;
  switch (field.number) {
    case 1:
      return field.bytes.toString('utf8');
    case 2:
      return field.value === 1n;
    case 3:
      return Number(BigInt.asIntN(64, field.value));
    case 4:
      return field.bytes.readDoubleLE();
    case 5:
      return all(fieldsOf(field.bytes), 1).map((value) => valueOf(value.bytes));
    case 6:
      return attributesOf(fieldsOf(field.bytes), 1);
    default:
      return field.bytes;
  }
}

function attributesOf(fields: Field[], number: number): Record<string, unknown> {
  return Object.fromEntries(
    all(fields, number).map(({ bytes }) => {
      const pair = fieldsOf(bytes);
      return [text(pair, 1), valueOf(one(pair, 2)?.bytes)];
    }),
  );
}

/** Each item of each scope of each resource: the three signals are nested alike. */
function itemsIn(body: Buffer): { resource: Record<string, unknown>; item: Field[] }[] {
  return all(fieldsOf(body), 1).flatMap(({ bytes }) => {
    const group = fieldsOf(bytes);
    const resource = attributesOf(fieldsOf(one(group, 1)?.bytes ?? Buffer.alloc(0)), 1);
    return all(group, 2).flatMap((scope) =>
      all(fieldsOf(scope.bytes), 2).map((item) => ({ resource, item: fieldsOf(item.bytes) })),
    );
  });
}

const spansIn = (body: Buffer): ReceivedSpan[] =>
  itemsIn(body).map(({ resource, item }) => {
    const status = fieldsOf(one(item, 15)?.bytes ?? Buffer.alloc(0));
    return {
      resource,
      traceId: hex(item, 1),
      spanId: hex(item, 2),
      parentSpanId: hex(item, 4),
      name: text(item, 5),
      kind: Number(one(item, 6)?.value ?? 0n),
      startNano: one(item, 7)?.value ?? 0n,
      endNano: one(item, 8)?.value ?? 0n,
      attributes: attributesOf(item, 9),
      events: all(item, 11).map(({ bytes }) => {
        const event = fieldsOf(bytes);
        return { name: text(event, 2), attributes: attributesOf(event, 3) };
      }),
      links: all(item, 13).map(({ bytes }) => {
        const link = fieldsOf(bytes);
        return { traceId: hex(link, 1), spanId: hex(link, 2) };
      }),
      status: { code: Number(one(status, 3)?.value ?? 0n), message: text(status, 2) },
    };
  });

const logsIn = (body: Buffer): ReceivedLog[] =>
  itemsIn(body).map(({ resource, item }) => ({
    resource,
    severity: text(item, 3),
    body: valueOf(one(item, 5)?.bytes),
    attributes: attributesOf(item, 6),
    traceId: hex(item, 9),
  }));

const metricsIn = (body: Buffer): ReceivedMetric[] =>
  itemsIn(body).map(({ resource, item }) => {
    const histogram = fieldsOf(one(item, 9)?.bytes ?? Buffer.alloc(0));
    const point = fieldsOf(one(histogram, 1)?.bytes ?? Buffer.alloc(0));
    const packed = one(point, 7)?.bytes ?? Buffer.alloc(0);
    const bounds = Array.from({ length: packed.length / 8 }, (_, place) => packed.readDoubleLE(place * 8));
    return { resource, name: text(item, 1), unit: text(item, 3), bounds };
  });
