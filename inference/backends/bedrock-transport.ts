import { request as plainRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';

/** What the AWS client hands to its transport, the parts that are used. */
interface WireRequest {
  protocol: string;
  hostname: string;
  port?: number;
  method: string;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body?: string | Uint8Array;
}

interface WireResponse {
  response: { statusCode: number; reason?: string; headers: Record<string, string>; body: IncomingMessage };
}

/**
 * The AWS client's way to the server: HTTP/1.1 through Node's own agents, in place of the client's HTTP/2. Replies
 * are streamed in one direction only, so HTTP/2 gains nothing here, while gateways and endpoints in a private network
 * mostly speak HTTP/1.1; and to cancel is to close the connection, which every server notices.
 */
export function bedrockTransport(): {
  metadata: { handlerProtocol: string };
  handle(given: unknown, options?: { abortSignal?: unknown }): Promise<WireResponse>;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): object;
  destroy(): void;
} {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: (given, options) => send(given as WireRequest, options?.abortSignal as AbortSignal | undefined),
    // The client's timeouts and agents are not taken: the time limit of each call is the only clock.
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    destroy() {},
  };
}

function send(given: WireRequest, signal: AbortSignal | undefined): Promise<WireResponse> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted());
    const request: ClientRequest = (given.protocol === 'http:' ? plainRequest : secureRequest)({
      host: given.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: given.port,
      method: given.method,
      path: given.path + queryOf(given.query),
      // Only what the call needs leaves the process: no facts of the machine.
      headers: { ...given.headers, 'user-agent': 'switchyard' },
    });
    let reply: IncomingMessage | undefined;
    // Without an error where a reply is there: its connection may just be going back to the agent, and nobody listens.
    const abort = () => (reply ? reply.destroy() : request.destroy(aborted()));
    signal?.addEventListener('abort', abort, { once: true });
    request.on('close', () => signal?.removeEventListener('abort', abort));
    request.on('error', reject);
    request.on('response', (response) => {
      reply = response;
      // Whoever reads the reply is told as well; where nobody reads any more, it is no error.
      response.on('error', () => {});
      resolve({
        response: {
          statusCode: response.statusCode ?? 0,
          headers: flat(response.headers),
          body: response,
          ...(response.statusMessage !== undefined && { reason: response.statusMessage }),
        },
      });
    });
    request.end(given.body);
  });
}

function aborted(): Error {
  return Object.assign(new Error('the request was aborted'), { name: 'AbortError' });
}

function flat(headers: IncomingMessage['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}

function queryOf(query: WireRequest['query']): string {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) =>
    [value ?? ''].flat().map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`),
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}
