import {
  connect as dial,
  type ConnectionOptions,
  type NatsConnection,
  type TlsOptions,
} from '@nats-io/transport-node';
import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { failBrokenRequests } from './broken-requests.ts';
import { BrokerError } from './errors.ts';
import { isAtLeast, OLDEST_SERVER } from './nats-version.ts';
import { withoutPassword } from './without-password.ts';

export interface Credentials {
  user: string;
  password: string;
  /** Where replies come in, for users who may hear their own only; the client's standard where it is left out. */
  inboxPrefix?: string;
}

/** One connection, with JetStream behind it. */
export interface Bus {
  connection: NatsConnection;
  jetstream: JetStreamClient;
  manager: JetStreamManager;
  serverVersion: string;
  /** True from 2.11 on: many messages of one subject in one request. */
  hasBatchGet: boolean;
}

/** Connects and checks the server's version; throws BrokerError that names what was found and what is needed. */
export async function connect(
  url: string,
  name: string,
  credentials?: Credentials,
  patienceMs = 5000,
): Promise<Bus> {
  const connection = await dialPatiently(url, name, credentials, patienceMs);
  const found = connection.info?.version ?? 'unknown';
  if (!isAtLeast(found, OLDEST_SERVER)) {
    await connection.close();
    throw new BrokerError(
      `the nats-server at ${withoutPassword(url)} is version ${found}; Switchyard needs ${OLDEST_SERVER} or newer`,
      'start a newer nats-server, or let `./switchyard up` start its own by leaving mesh.url out',
    );
  }
  if (connection.info?.jetstream !== true) {
    await connection.close();
    throw new BrokerError(
      `the nats-server at ${withoutPassword(url)} runs without JetStream`,
      'start it with `--jetstream`, or let `./switchyard up` start its own',
    );
  }
  failBrokenRequests(connection);
  return {
    connection,
    jetstream: jetstream(connection, { timeout: 5000 }),
    manager: await jetstreamManager(connection, { checkAPI: false, timeout: 5000 }),
    serverVersion: found,
    hasBatchGet: isAtLeast(found, '2.11.0'),
  };
}

/** How every connection of a process is made; plain data, so that a thread may be given it. */
export function dialOptions(url: string, name: string, credentials?: Credentials): ConnectionOptions {
  return {
    servers: url,
    name,
    // Where encryption is asked for, a server without it is refused before it is told the password.
    ...(url.startsWith('tls://') ? { tls: encryptionFor(url) } : {}),
    // What a server says of its other addresses may lead nowhere from here.
    ignoreClusterUpdates: true,
    ...(credentials ? { user: credentials.user, pass: credentials.password } : {}),
    ...(credentials?.inboxPrefix ? { inboxPrefix: credentials.inboxPrefix } : {}),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    timeout: 3000,
    pingInterval: 10_000,
  };
}

/** A server that is just given other users refuses some who may: one browser more, and a command would fail. */
const mostRefusals = 3;

async function dialPatiently(
  url: string,
  name: string,
  credentials: Credentials | undefined,
  patienceMs: number,
) {
  const until = Date.now() + patienceMs;
  for (let refusals = 0; ;) {
    try {
      return await dial(dialOptions(url, name, credentials));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const isRefused = /authorization|authentication/i.test(text);
      if (isRefused) refusals += 1;
      if (refusals === mostRefusals) {
        throw new BrokerError(
          `the nats-server at ${withoutPassword(url)} refused user "${credentials?.user ?? ''}"`,
          'the credentials belong to another installation; give the right `--state DIR`, or credentials in mesh.url',
          { cause: error },
        );
      }
      if (/certificate|altnames|does not support 'tls'/i.test(text)) {
        throw new BrokerError(
          `the nats-server at ${withoutPassword(url)} does not prove who it is (${text})`,
          'name the certificate of its authority (PEM) in the variable NODE_EXTRA_CA_CERTS, and the server by a name that its own certificate holds',
          { cause: error },
        );
      }
      if (!isRefused && Date.now() >= until) {
        throw new BrokerError(
          `no nats-server answers at ${withoutPassword(url)} (${text})`,
          'start the mesh with `./switchyard up`, or name a running server in mesh.url',
          { cause: error },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/**
 * Where a server is named by its address, the client would hold its certificate against `localhost`; given as `host` it
 * is held against that address.
 */
function encryptionFor(url: string): TlsOptions {
  const host = new URL(url).hostname.replaceAll(/[[\]]/g, '');
  return { host } as TlsOptions;
}
