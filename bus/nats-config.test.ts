import { expect, test } from 'vitest';
import { serverConfig } from './nats-config.ts';
import type { ServerSettings } from './nats-config.ts';

const settings: ServerSettings = {
  name: 'switchyard',
  durability: 'power',
  storeDirectory: '/state/jetstream',
  portsDirectory: '/state',
  maxStoreBytes: 1_000_000,
  port: 0,
  users: [{ name: 'coder', password: 'p', publish: [], subscribe: ['yard.event.>'], allowResponses: true }],
};

test('nats configuration: every listener is on loopback and none is there unasked', () => {
  const plain = JSON.parse(serverConfig(settings));
  expect(plain).toMatchObject({ host: '127.0.0.1', port: -1, max_payload: 8_388_608 });
  expect(plain).not.toHaveProperty('http');
  expect(plain).not.toHaveProperty('websocket');
  const full = JSON.parse(serverConfig({ ...settings, websocketPort: 8080, monitoringPort: 0 }));
  expect(full.websocket).toEqual({ host: '127.0.0.1', port: 8080, no_tls: true });
  expect(full.http).toBe('127.0.0.1:-1');
});

test('nats configuration: it listens elsewhere, and encrypts, only where it is told to', () => {
  const tls = { certificate: '/tls/broker.pem', key: '/tls/broker.key' };
  const open = JSON.parse(
    serverConfig({ ...settings, listen: '0.0.0.0', tls, websocketPort: 0, websocketListen: '0.0.0.0' }),
  );
  expect(open).toMatchObject({ host: '0.0.0.0', tls: { cert_file: tls.certificate, key_file: tls.key } });
  expect(open.websocket.host).toBe('0.0.0.0');
  const encrypted = JSON.parse(serverConfig({ ...settings, tls, websocketPort: 0 }));
  expect([encrypted.host, encrypted.websocket.host]).toEqual(['127.0.0.1', '127.0.0.1']);
  expect(JSON.parse(serverConfig(settings))).not.toHaveProperty('tls');
});

test('nats configuration: durability power syncs each message, process leaves the default', () => {
  expect(JSON.parse(serverConfig(settings)).jetstream.sync_interval).toBe('always');
  expect(JSON.parse(serverConfig({ ...settings, durability: 'process' })).jetstream).not.toHaveProperty(
    'sync_interval',
  );
});

test('nats configuration: a user with no subject to publish to is denied all of them', () => {
  expect(JSON.parse(serverConfig(settings)).accounts.MESH.users[0].permissions).toEqual({
    publish: { deny: ['>'] },
    subscribe: { allow: ['yard.event.>'] },
    allow_responses: true,
  });
});

test('nats configuration: a server without users is refused', () => {
  expect(() => serverConfig({ ...settings, users: [] })).toThrow('accept every connection');
});

test('nats configuration: browsers have an account of their own that reaches what is exported to it, by WebSocket only', () => {
  const browsers = {
    origins: ['http://127.0.0.1:4200'],
    hears: ['yard.event.>'],
    asks: ['yard.query.>'],
    users: [{ name: 'page-1', password: 'w' }],
  };
  const { accounts, websocket } = JSON.parse(serverConfig({ ...settings, websocketPort: 0, browsers }));
  expect(websocket.allowed_origins).toEqual(browsers.origins);
  expect(accounts.MESH.exports).toEqual([
    { stream: 'yard.event.>', accounts: ['DASH'] },
    { service: 'yard.query.>', accounts: ['DASH'] },
  ]);
  expect(accounts.DASH.users).toEqual([
    {
      user: 'page-1',
      password: 'w',
      allowed_connection_types: ['WEBSOCKET'],
      permissions: {
        publish: { allow: ['yard.query.>'] },
        subscribe: { allow: ['yard.event.>', '_INBOX.>'] },
      },
    },
  ]);
  expect(accounts.DASH).not.toHaveProperty('jetstream');
});
