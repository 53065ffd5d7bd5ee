import { wsconnect, type NatsConnection, type WsConnectionOptions } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { request } from 'node:http';
import { connect as dial } from 'node:net';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCredential } from '../bus/credentials.ts';
import { linkLifeMs, makeToken } from '../config/page-link.ts';
import { querySubject, type PageSession } from '../observability/query.ts';
import { serveFile } from '../observability/observer/page-files.ts';
import type { QueryReply } from '../schemas/query.ts';
import { freshLink } from '../cli/observer.ts';
import { eventually } from './yard-parts.ts';
import { namespace, openYard, streams, type Yard } from './yard.ts';

let yard: Yard;
let taskId: string;
beforeAll(async () => {
  yard = await openYard({ hasPage: true });
  await yard.startObserver();
  taskId = await yard.submit();
  await yard.ended(taskId);
});
afterAll(() => yard?.stop());

const origin = () => `http://127.0.0.1:${yard.pagePort}`;

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** A request as it is written, whatever a browser would make of it. */
function send(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string; port?: number } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body, port = yard.pagePort } = options;
    const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

const json = { 'Content-Type': 'application/json' };
const post = (body: object, headers: Record<string, string> = {}) =>
  send('/session', { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(body) });

async function freshToken(): Promise<string> {
  const link = await freshLink(yard.stateDirectory, yard.pagePort);
  expect(link).toMatch(new RegExp(`^${origin()}/#token=[\\w-]+$`));
  return link.split('token=')[1]!;
}

const cookieOf = (answer: Answer) => answer.headers['set-cookie']![0]!.split(';')[0]!;

async function letIn(): Promise<{ session: PageSession; cookie: string }> {
  const answer = await post({ token: await freshToken() });
  expect(answer.status).toBe(200);
  return { session: JSON.parse(answer.body) as PageSession, cookie: cookieOf(answer) };
}

/** As a page connects, or as a program that names any origin or none. */
const asPage = (session: Pick<PageSession, 'url' | 'user' | 'password'>, from?: string) =>
  wsconnect({
    servers: session.url,
    user: session.user,
    pass: session.password,
    reconnect: false,
    timeout: 60_000,
    wsFactory: (url: URL | string) =>
      Promise.resolve({
        socket: new WebSocket(url, (from === undefined ? {} : { headers: { origin: from } }) as never),
        encrypted: false,
      }),
  } as Parameters<typeof wsconnect>[0] & WsConnectionOptions);

/** What the broker says to a first line of HTTP. */
function handshake(from: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = dial(yard.socketPort, '127.0.0.1');
    const lines = [
      'GET / HTTP/1.1',
      `Host: 127.0.0.1:${yard.socketPort}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version: 13',
      ...(from === undefined ? [] : [`Origin: ${from}`]),
    ];
    socket.on('error', reject);
    socket.once('data', (chunk) => {
      resolve(chunk.toString('utf8').split('\r\n', 1)[0]!);
      socket.destroy();
    });
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  });
}

test('page: without a link it serves its own files and nothing else', async () => {
  const page = await send('/');
  expect(page.status).toBe(200);
  expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
  expect(page.headers['cache-control']).toBe('no-store');
  expect(page.headers['content-security-policy']).toContain(
    `default-src 'none'; script-src 'self'; style-src 'self'`,
  );
  expect(page.headers['content-security-policy']).toContain(
    `connect-src 'self' ws://127.0.0.1:${yard.socketPort};`,
  );
  expect(page.headers['x-content-type-options']).toBe('nosniff');
  expect(page.body).not.toContain(namespace + '.');
  expect((await post({})).status).toBe(401);
  for (const path of ['/session', '/tasks', '/api', '/record.sqlite', '/mesh.json', '/.env'])
    expect((await send(path)).status, path).toBeGreaterThanOrEqual(404);
  expect((await send('/', { method: 'PUT' })).status).toBe(405);
});

test('page: a link lets one browser in, once; the same browser comes back with its cookie', async () => {
  const token = await freshToken();
  const first = await post({ token });
  expect(first.status).toBe(200);
  expect(first.headers['set-cookie']![0]).toMatch(
    /^switchyard-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=\d+$/,
  );
  const session = JSON.parse(first.body) as PageSession;
  expect(session).toMatchObject({ url: `ws://127.0.0.1:${yard.socketPort}`, namespace, mesh: 'switchyard' });
  expect((await post({ token })).status).toBe(401);
  const cookie = cookieOf(first);
  expect(JSON.parse((await post({}, { cookie })).body)).toEqual(session);
  expect(JSON.parse((await post({ token }, { cookie })).body)).toEqual(session);
  expect((await post({}, { cookie: `${cookie}x` })).status).toBe(401);
  const other = await letIn();
  expect(other.session.password).not.toBe(session.password);
  expect(other.session.user).not.toBe(session.user);
});

test('page: a link that is too old, was altered or was made with another secret lets nobody in', async () => {
  const { password } = await readCredential(yard.stateDirectory, 'observer');
  const token = makeToken(password, Date.now());
  const wrong = [
    makeToken(password, Date.now() - linkLifeMs - 1000),
    makeToken('another', Date.now()),
    `${token.startsWith('A') ? 'B' : 'A'}${token.slice(1)}`,
    token.slice(0, -1),
    `${token}=`,
    '',
    password,
  ];
  for (const one of wrong) expect((await post({ token: one })).status, one).toBe(401);
  expect((await post({ token })).status).toBe(200);
  const raw = (body: string, headers: Record<string, string> = json) =>
    send('/session', { method: 'POST', headers, body });
  expect((await raw('no json')).status).toBe(400);
  expect((await raw('null')).status).toBe(400);
  expect((await raw(JSON.stringify({ token: 'x'.repeat(9000) }))).status).toBe(400);
  expect((await raw('{}', { 'Content-Type': 'text/plain' })).status).toBe(415);
});

test('page: a link stays used after kill -9, and who was let in stays so', async () => {
  const token = await freshToken();
  const first = await post({ token });
  const cookie = cookieOf(first);
  const session = JSON.parse(first.body) as PageSession;
  const connection = await asPage(session, origin());
  const before = yard.launcher.children().find((child) => child.program === 'observer')!;
  before.kill('SIGKILL');
  await eventually(() => post({}, { cookie }).catch(() => undefined), 'the page to be served again');
  expect((await post({ token })).status).toBe(401);
  expect(JSON.parse((await post({}, { cookie })).body)).toEqual(session);
  expect(connection.isClosed()).toBe(false);
  await connection.close();
});

test('page: requests under another name or from another page are refused', async () => {
  const token = await freshToken();
  for (const host of [
    `localhost:${yard.pagePort}`,
    'evil.example',
    `evil.example:${yard.pagePort}`,
    '127.0.0.1',
  ]) {
    expect((await send('/', { headers: { host } })).status, host).toBe(421);
    expect((await post({ token }, { host })).status, host).toBe(421);
  }
  for (const from of [
    'http://evil.example',
    'null',
    `http://localhost:${yard.pagePort}`,
    `https://127.0.0.1:${yard.pagePort}`,
  ])
    expect((await post({ token }, { origin: from })).status, from).toBe(403);
  expect((await post({ token }, { 'sec-fetch-site': 'same-site' })).status).toBe(403);
  // None of these has used it up.
  expect((await post({ token }, { origin: origin(), 'sec-fetch-site': 'same-origin' })).status).toBe(200);
});

test('page: a session that ends takes its password and its connection with it', async () => {
  const { session, cookie } = await letIn();
  const { session: other } = await letIn();
  const connection = await asPage(session, origin());
  const stays = await asPage(other, origin());
  expect((await send('/session', { method: 'DELETE', headers: { cookie } })).status).toBe(204);
  await connection.closed();
  await expect(asPage(session, origin())).rejects.toThrow(/authorization/i);
  expect((await post({}, { cookie })).status).toBe(401);
  await stays.flush();
  expect(stays.isClosed()).toBe(false);
  await stays.close();
});

test('page: what a browser sees is what happens, and what it asks is answered', async () => {
  const { session } = await letIn();
  const page = await asPage(session, origin());
  const heard: string[] = [];
  page.subscribe(`${namespace}.event.>`, {
    callback: (_error, message) => void heard.push(message.subject),
  });
  const live: string[] = [];
  page.subscribe(`${namespace}.live.>`, { callback: (_error, message) => void live.push(message.subject) });
  await page.flush();
  const another = await yard.submit();
  expect(await yard.ended(another)).toBe('task.completed');
  await eventually(() => heard.some((subject) => subject === `${namespace}.event.${another}.task`), 'events');
  await eventually(() => live.length > 0, 'live progress');
  const tasks = await eventually(async () => {
    const reply = await page.request(querySubject(namespace, 'tasks'), '{}', { timeout: 60_000 });
    const found = reply.json<QueryReply<'tasks'>>().tasks;
    return found.every((one) => one.state === 'completed') && found.length === 2 ? found : undefined;
  }, 'both tasks');
  expect(tasks.map((one) => one.taskId)).toEqual([another, taskId]);
  await page.close();
});

/** Tries to say something, and tells what the broker said to that. */
async function refusalOf(page: NatsConnection, subject: string, reply?: string): Promise<string | undefined> {
  const refusal = Promise.withResolvers<string>();
  const statuses = page.status();
  void (async () => {
    for await (const status of statuses) if (status.type === 'error') refusal.resolve(status.error.message);
  })();
  page.publish(subject, '{}', reply ? { reply } : {});
  await page.flush();
  const silence = new Promise<undefined>((resolve) => void setTimeout(() => resolve(undefined), 300));
  return Promise.race([refusal.promise, silence]);
}

/** How many events each journal has, but for crashes: of an observer that was killed the manager says so in its own time. */
async function recordedByJournal(): Promise<Record<string, number>> {
  const { state } = await yard.admin.manager.streams.info(streams.events, { subjects_filter: '>' });
  const journals = Object.entries(state.subjects ?? {});
  return Object.fromEntries(journals.filter(([one]) => !one.startsWith(`${namespace}.event.mesh.crash.`)));
}

test.each([
  ['with the page as its origin', () => origin()],
  ['with no origin, as a program connects', () => undefined],
])('browser user, %s: may say nothing but questions, and hears nothing but what happens', async (_, from) => {
  const { session } = await letIn();
  const page = await asPage(session, from());
  const before = await yard.admin.manager.streams.info(streams.inbox);
  const recorded = await recordedByJournal();
  const said = [
    `${namespace}.submit`,
    `${namespace}.tasks.submit`,
    `${namespace}.inbox.role.coder.${taskId}`,
    `${namespace}.event.${taskId}.task`,
    `${namespace}.live.${taskId}.x`,
    `${namespace}.dead.coder.x`,
    `${namespace}.process.coder.x`,
    `$JS.API.INFO`,
    `$JS.API.STREAM.INFO.${streams.events}`,
    `$JS.API.STREAM.DELETE.${streams.events}`,
    `$JS.API.DIRECT.GET.${streams.events}`,
    `$JS.API.DIRECT.GET.${streams.events}.${namespace}.event.${taskId}.task`,
    `$JS.API.CONSUMER.CREATE.${streams.events}`,
    `$JS.API.CONSUMER.CREATE.${streams.events}.mine`,
    `$JS.API.STREAM.MSG.GET.${streams.inbox}`,
    `$JS.ACK.${streams.inbox}.role-coder.1.1.1.1.1`,
    `$KV.${namespace}_registry.coder.x`,
    `$O.${namespace}_artifacts.C.x`,
    '$SRV.INFO',
    '$SRV.PING',
    '$SYS.REQ.SERVER.PING',
    '_INBOX_coder.x',
    'anything',
  ];
  for (const subject of said)
    expect(await refusalOf(page, subject), subject).toMatch(/Permissions Violation for Publish/);
  for (const subject of [
    '>',
    `${namespace}.>`,
    `${namespace}.inbox.>`,
    `${namespace}.submit`,
    '_INBOX_manager.>',
    `$KV.${namespace}_registry.>`,
    '$JS.>',
    '$SRV.>',
    `${namespace}.query.>`,
  ]) {
    const heard = page.subscribe(subject);
    await expect((async () => await heard[Symbol.asyncIterator]().next())(), subject).rejects.toThrow(
      /permissions violation/i,
    );
  }
  // A question may name where its answer goes, but only within the browsers' own account.
  for (const reply of [`${namespace}.inbox.role.coder.${taskId}`, `${namespace}.submit`, '_INBOX_manager.x'])
    await refusalOf(page, querySubject(namespace, 'totals'), reply);
  expect(
    (await page.request(querySubject(namespace, 'totals'), '', { timeout: 60_000 })).json(),
  ).toHaveProperty('tasks');
  const after = await yard.admin.manager.streams.info(streams.inbox);
  expect(after.state.last_seq).toBe(before.state.last_seq);
  expect(await recordedByJournal()).toEqual(recorded);
  await page.close();
});

test('browser user: a wrong password, none, or another way in is refused; so are other origins', async () => {
  const { session } = await letIn();
  const refused = (user: string, password: string) =>
    expect(asPage({ ...session, user, password }, origin())).rejects.toThrow(/authorization/i);
  await refused(session.user, 'wrong');
  await refused(session.user, '');
  await refused('', '');
  await refused('page-000000000000', session.password);
  await expect(
    connect({ servers: yard.server.url, user: session.user, pass: session.password, reconnect: false }),
  ).rejects.toThrow(/authorization/i);
  expect(await handshake(origin())).toContain('101');
  expect(await handshake(undefined)).toContain('101');
  for (const from of [
    'http://evil.example',
    `http://localhost:${yard.pagePort}`,
    `https://127.0.0.1:${yard.pagePort}`,
    'null',
  ])
    expect(await handshake(from), from).toContain('403');
});

test('page: the broker killed with kill -9 and started again lets the same browser in as before', async () => {
  const { session } = await letIn();
  await yard.killBroker();
  await yard.startBroker();
  const page = await asPage(session, origin());
  const totals = await eventually(
    () => page.request(querySubject(namespace, 'totals'), '', { timeout: 2000 }).catch(() => undefined),
    'the observer to answer again',
  );
  expect(totals.json()).toMatchObject({ byState: { completed: expect.any(Number) } });
  await page.close();
});

test('page files: nothing outside the folder is served, by no spelling', async () => {
  const area = await mkdtemp(join(tmpdir(), 'switchyard-page-'));
  const folder = join(area, 'dist');
  let server: Server | undefined;
  try {
    await mkdir(join(folder, 'assets'), { recursive: true });
    await writeFile(join(area, 'secret.txt'), 'secret');
    await writeFile(join(folder, 'index.html'), '<!doctype html>page');
    await writeFile(join(folder, 'assets/index-1a2b.js'), 'script');
    await writeFile(join(folder, '.hidden.txt'), 'secret');
    await writeFile(join(folder, 'odd.exe'), 'secret');
    await symlink(join(area, 'secret.txt'), join(folder, 'link.txt'));
    server = createServer((asked, response) => {
      void serveFile(folder, asked.url!.split('?')[0]!, asked, response);
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const get = (path: string) => send(path, { port });
    expect(await get('/')).toMatchObject({ status: 200, body: '<!doctype html>page' });
    const script = await get('/assets/index-1a2b.js?v=1');
    expect(script).toMatchObject({ status: 200, body: 'script' });
    expect(script.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
    });
    for (const path of [
      '/../secret.txt',
      '/assets/../../secret.txt',
      '/..%2fsecret.txt',
      '/%2e%2e/secret.txt',
      '/%2e%2e%2fsecret.txt',
      '/..%5csecret.txt',
      '/assets/%2e%2e/%2e%2e/secret.txt',
      '//secret.txt',
      '/%00',
      '/%',
      '/link.txt',
      '/.hidden.txt',
      '/odd.exe',
      '/assets',
      '/assets/',
      `/${area}/secret.txt`,
    ]) {
      const answer = await get(path);
      expect(answer.status, path).toBe(404);
      expect(answer.body, path).not.toContain('secret');
    }
    await rm(join(folder, 'index.html'));
    expect(await get('/')).toMatchObject({ status: 200, body: expect.stringContaining('not built yet') });
  } finally {
    server?.close();
    await rm(area, { recursive: true });
  }
});
