import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Log } from '../../bus/log.ts';
import type { PageSession } from '../query.ts';
import { send, serveFile } from './page-files.ts';
import type { Session, Sessions } from './sessions.ts';

export interface PageOptions {
  port: number;
  /** The address that it listens on, for a container; undefined: loopback. It answers under the name 127.0.0.1 alone. */
  listen?: string | undefined;
  /** The folder with the page as it is built. */
  folder: string;
  sessions: Sessions;
  /** The broker's WebSocket, `ws://127.0.0.1:PORT`. */
  socketUrl: () => string;
  namespace: string;
  mesh: string;
  log: Pick<Log, 'warn' | 'error'>;
}

const address = '127.0.0.1';
const mostBodyBytes = 4096;

/**
 * Serves the page on loopback. Without a link's token it gives the page's own files and nothing else; what the page
 * shows comes from the broker. Requests under another host's name, as a page elsewhere can bring about, are refused.
 */
export async function openPage(options: PageOptions): Promise<Server> {
  const server = createServer((request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      options.log.error({ error }, 'a request to the page failed');
      if (!response.headersSent) send(response, 500, 'text/plain; charset=utf-8', 'something went wrong\n');
      else response.destroy();
    });
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.listen ?? address, port: options.port, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return server;
}

async function answer(options: PageOptions, request: IncomingMessage, response: ServerResponse) {
  const host = `${address}:${options.port}`;
  guard(response, options.socketUrl());
  if (request.headers.host !== host) {
    send(
      response,
      421,
      'text/plain; charset=utf-8',
      `this page is at http://${host} and under no other name\n`,
    );
    return;
  }
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (origin !== undefined && origin !== `http://${host}`) {
    send(response, 403, 'text/plain; charset=utf-8', 'this page answers no other\n');
    return;
  }
  const path = (request.url ?? '/').split('?', 1)[0]!;
  if (path === '/session') {
    if (site !== undefined && site !== 'same-origin')
      send(response, 403, 'text/plain; charset=utf-8', 'this page answers no other\n');
    else await answerSession(options, request, response);
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    send(response, 405, 'text/plain; charset=utf-8', 'files are only read\n');
    return;
  }
  await serveFile(options.folder, path, request, response);
}

/** What the page may load, run and connect to. */
export const contentPolicy = (socketUrl: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "worker-src 'self'",
    "manifest-src 'self'",
    `connect-src 'self' ${socketUrl}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

function guard(response: ServerResponse, socketUrl: string): void {
  response.setHeader('Content-Security-Policy', contentPolicy(socketUrl));
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
}

/** `POST {token}` exchanges a link, `POST {}` goes on with the cookie that it was exchanged for, `DELETE` ends it. */
async function answerSession(options: PageOptions, request: IncomingMessage, response: ServerResponse) {
  const { sessions, port } = options;
  const name = `switchyard-${port}`;
  const cookie = cookieOf(request, name);
  if (request.method === 'DELETE') {
    if (cookie !== undefined) await sessions.end(cookie);
    response.setHeader('Set-Cookie', `${name}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0`);
    response.statusCode = 204;
    response.end();
    return;
  }
  if (request.method !== 'POST') {
    response.setHeader('Allow', 'POST, DELETE');
    sendJson(response, 405, { error: 'a session is asked for with POST and ended with DELETE' });
    return;
  }
  // Another page cannot send this type without asking first, and is not allowed to.
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) {
    sendJson(response, 415, { error: 'send application/json' });
    return;
  }
  const token = await readTokenOf(request);
  if (token === 'unreadable') {
    sendJson(response, 400, { error: 'the request is no JSON object with a token' });
    return;
  }
  const begun = token === undefined ? undefined : await sessions.exchange(token);
  if (begun) {
    const maxAgeS = Math.floor((begun.session.expiresAtMs - Date.now()) / 1000);
    response.setHeader(
      'Set-Cookie',
      `${name}=${begun.cookie}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${maxAgeS}`,
    );
    sendJson(response, 200, sessionOf(options, begun.session));
    return;
  }
  // A link that is opened a second time in the same browser is as good as a reload.
  const resumed = cookie === undefined ? undefined : await sessions.resume(cookie);
  if (resumed) sendJson(response, 200, sessionOf(options, resumed));
  else
    sendJson(response, 401, {
      error: 'this link was used before or is too old',
      mend: './switchyard dashboard',
    });
}

const sessionOf = (options: PageOptions, { user, password, expiresAtMs }: Session): PageSession => ({
  url: options.socketUrl(),
  user,
  password,
  namespace: options.namespace,
  mesh: options.mesh,
  expiresAtMs,
});

async function readTokenOf(request: IncomingMessage): Promise<string | undefined | 'unreadable'> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > mostBodyBytes) return 'unreadable';
    chunks.push(chunk);
  }
  try {
    const { token } = JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}') as { token?: unknown };
    return token === undefined || typeof token === 'string' ? token : 'unreadable';
  } catch {
    return 'unreadable';
  }
}

function cookieOf(request: IncomingMessage, name: string): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key, value] = part.trim().split('=', 2);
    if (key === name && value) return value;
  }
  return undefined;
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  send(response, status, 'application/json; charset=utf-8', `${JSON.stringify(body)}\n`);
}
