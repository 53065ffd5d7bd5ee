import { headers, wsconnect, type ConnectionOptions, type WsConnectionOptions } from '@nats-io/nats-core';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { access, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect as connectBus } from './connect.ts';
import { EVERYTHING, startTestServer, temporaryFolder } from './server-fixture.ts';

const origin = 'http://127.0.0.1:4200';
const browsers = { origins: [origin], hears: ['yard.event.>'], asks: ['yard.query.>'], users: [] };
const asEverything = (url: string) =>
  connect({ servers: url, user: EVERYTHING.name, pass: EVERYTHING.password });

const asPage = (port: number, user: { name: string; password: string }) =>
  wsconnect({
    servers: `ws://127.0.0.1:${port}`,
    user: user.name,
    pass: user.password,
    reconnect: false,
  } satisfies ConnectionOptions & WsConnectionOptions);

test('browser users: one is let in and out again while everybody else stays connected and works', async () => {
  await using server = await startTestServer({ websocketPort: 0, browsers });
  const port = server.ports.find(({ name }) => name === 'websocket')!.port;
  const first = { name: 'page-1', password: 'one' };
  const second = { name: 'page-2', password: 'two' };
  await expect(asPage(port, first)).rejects.toThrow(/authorization/i);

  const mesh = await asEverything(server.url);
  const disturbed: string[] = [];
  void (async () => {
    for await (const status of mesh.status()) disturbed.push(status.type);
  })();
  const manager = await jetstreamManager(mesh);
  await manager.streams.add({ name: 'YARD', subjects: ['yard.event.>'] });
  const js = jetstream(mesh);
  let isOver = false;
  let stored = 0;
  const working = (async () => {
    for (; !isOver; stored += 1) await js.publish('yard.event.a', String(stored));
  })();

  await server.letIn([first]);
  const page = await asPage(port, first);
  const heard: string[] = [];
  page.subscribe('yard.event.>', { callback: (_error, message) => void heard.push(message.subject) });
  await expect.poll(() => heard.length).toBeGreaterThan(3);
  // Over and over, as when people come and go; a plain connection is refused in one of fifteen rounds.
  let joined = 0;
  const joining = Array.from({ length: 4 }, async () => {
    for (; !isOver; joined += 1) {
      const bus = await connectBus(server.url, 'test', {
        user: EVERYTHING.name,
        password: EVERYTHING.password,
      });
      await bus.connection.close();
    }
  });
  for (let round = 0; round < 40; round += 1)
    await server.letIn([first, { name: `page-x${round}`, password: 'x' }]);
  const sofar = heard.length;
  await expect.poll(() => heard.length).toBeGreaterThan(sofar);

  await server.letIn([second]);
  await page.closed();
  await expect(asPage(port, first)).rejects.toThrow(/authorization/i);
  await (await asPage(port, second)).close();
  isOver = true;
  await Promise.all([working, ...joining]);
  expect(joined).toBeGreaterThan(10);
  expect(stored).toBeGreaterThan(10);
  expect((await manager.streams.info('YARD')).state.messages).toBe(stored);
  expect(disturbed).toEqual([]);
  const configFile = join(server.stateDirectory, 'nats/server.conf');
  const { mtimeMs } = await stat(configFile);
  await server.letIn([second]);
  expect((await stat(configFile)).mtimeMs, 'the same again is no other configuration').toBe(mtimeMs);
  await mesh.close();
});

test('browser users: neither their password nor their account works but over a WebSocket', async () => {
  const user = { name: 'page-1', password: 'one' };
  await using server = await startTestServer({ websocketPort: 0, browsers: { ...browsers, users: [user] } });
  await expect(
    connect({ servers: server.url, user: user.name, pass: user.password, reconnect: false }),
  ).rejects.toThrow(/authorization/i);
});

test('browser users: a service answers a page, and its answer cannot be sent elsewhere', async () => {
  const user = { name: 'page-1', password: 'one' };
  await using server = await startTestServer({ websocketPort: 0, browsers: { ...browsers, users: [user] } });
  const port = server.ports.find(({ name }) => name === 'websocket')!.port;
  const mesh = await asEverything(server.url);
  const inbox: string[] = [];
  mesh.subscribe('yard.inbox.>', { callback: (_error, message) => void inbox.push(message.subject) });
  mesh.subscribe('yard.query.>', {
    callback: (_error, message) => {
      const header = headers();
      header.set('Nats-Service-Error', 'words');
      message.respond(`answer to ${message.string()}`, { headers: header });
    },
  });
  await mesh.flush();
  const page = await asPage(port, user);
  const answer = await page.request('yard.query.tasks', 'x', { timeout: 60_000 });
  expect(answer.string()).toBe('answer to x');
  expect(answer.headers?.get('Nats-Service-Error')).toBe('words');
  page.publish('yard.query.tasks', 'y', { reply: 'yard.inbox.role.manager.x' });
  await page.request('yard.query.tasks', 'z', { timeout: 60_000 });
  await mesh.flush();
  expect(inbox).toEqual([]);
  await page.close();
  await mesh.close();
});

test('a store that was written before there were accounts is found again', async () => {
  await using folder = await temporaryFolder();
  const begun = await startTestServer({ stateDirectory: folder.path });
  const before = await asEverything(begun.url);
  await (await jetstreamManager(before)).streams.add({ name: 'YARD', subjects: ['yard.event.>'] });
  await jetstream(before).publish('yard.event.a', 'kept');
  await before.close();
  await begun.stop();
  const store = join(folder.path, 'nats/jetstream/jetstream');
  await rename(join(store, 'MESH'), join(store, '$G'));

  await using server = await startTestServer({ stateDirectory: folder.path });
  const after = await asEverything(server.url);
  const { state } = await (await jetstreamManager(after)).streams.info('YARD');
  expect(state.messages).toBe(1);
  await expect(access(join(store, '$G'))).rejects.toThrow('ENOENT');
  await after.close();
});
