import { Svcm, type Service } from '@nats-io/services';
import { hostname } from 'node:os';
import type { Bus } from './connect.ts';

/** What a process answers on a subject of its own, beside an inbox. */
export interface Endpoint {
  name: string;
  subject: string;
  /** For who reads `nats micro info`. */
  metadata?: Record<string, string>;
  /** `details` are sent as JSON, with the code and the problem as headers. */
  answer(
    body: Uint8Array,
    headers: [string, string][],
  ): Promise<{ ok: unknown } | { code: number; problem: string; details: unknown }>;
}

/** Makes a process visible to `nats micro ls` and answers its endpoints. */
export async function openMicro(
  mesh: { meshName: string; version: string },
  joined: { bus: Bus; process: string },
  name: string,
  endpoints: Endpoint[],
): Promise<Service> {
  const micro = await new Svcm(joined.bus.connection).add({
    name: `${mesh.meshName}-${name}`,
    version: mesh.version,
    description: `the ${name} of the mesh ${mesh.meshName}`,
    metadata: { process: joined.process, host: hostname(), pid: String(process.pid) },
  });
  for (const endpoint of endpoints) {
    micro.addEndpoint(endpoint.name, {
      subject: endpoint.subject,
      ...(endpoint.metadata ? { metadata: endpoint.metadata } : {}),
      handler: (error, message) => {
        if (error) return;
        const headers: [string, string][] = [];
        for (const [key, values] of message.headers ?? [])
          for (const value of values) headers.push([key, value]);
        endpoint
          .answer(message.data, headers)
          .then((answer) => {
            if ('ok' in answer) message.respond(JSON.stringify(answer.ok));
            else message.respondError(answer.code, answer.problem, JSON.stringify(answer.details));
          })
          // Also of an answer that is larger than the broker takes.
          .catch((trouble: unknown) =>
            message.respondError(500, trouble instanceof Error ? trouble.message : String(trouble)),
          );
      },
    });
  }
  return micro;
}
