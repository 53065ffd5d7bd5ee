import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { execFile } from 'node:child_process';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { identifyProcess, isRunning } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { startServer } from './nats-server.ts';
import { findOnPath } from './program.ts';
import { EVERYTHING, serverBinary, startTestServer, temporaryFolder } from './server-fixture.ts';

const asEverything = (url: string) =>
  connect({ servers: url, user: EVERYTHING.name, pass: EVERYTHING.password });

test('embedded server: starts with JetStream on a free port, tells its version, and stops', async () => {
  await using server = await startTestServer();
  expect(server.ports).toEqual([{ name: 'nats', port: server.port }]);
  expect(server.version).toMatch(/^2\.\d+\.\d+/);
  const connection = await asEverything(server.url);
  expect(await (await jetstreamManager(connection)).getAccountInfo()).toHaveProperty('streams', 0);
  await connection.close();
  await server.stop();
  expect(await server.exited).toEqual({ code: 0, signal: null });
  await expect(asEverything(server.url)).rejects.toThrow();
});

test('embedded server: a wrong password or none is refused', async () => {
  await using server = await startTestServer();
  await expect(connect({ servers: server.url })).rejects.toThrow(/authorization/i);
  await expect(connect({ servers: server.url, user: EVERYTHING.name, pass: 'wrong' })).rejects.toThrow(
    /authorization/i,
  );
});

test('embedded server: a user publishes and subscribes only to what is allowed', async () => {
  const narrow = { name: 'narrow', password: 'n', publish: ['yard.allowed'], subscribe: ['_INBOX.>'] };
  await using server = await startTestServer({ users: [EVERYTHING, narrow] });
  const connection = await connect({ servers: server.url, user: 'narrow', pass: 'n' });
  const heard: string[] = [];
  const listener = await asEverything(server.url);
  listener.subscribe('yard.>', { callback: (_error, message) => void heard.push(message.subject) });
  await listener.flush();

  const refusals: string[] = [];
  void (async () => {
    for await (const status of connection.status())
      if (status.type === 'error') refusals.push(status.error.message);
  })();
  connection.publish('yard.forbidden');
  connection.publish('yard.allowed');
  await connection.flush();
  await listener.flush();
  expect(heard).toEqual(['yard.allowed']);
  await expect.poll(() => refusals.join()).toMatch(/Permissions Violation for Publish to "yard.forbidden"/i);

  const overheard = connection.subscribe('yard.allowed');
  await expect((async () => await overheard[Symbol.asyncIterator]().next())()).rejects.toThrow(
    /permissions violation/i,
  );
  await connection.close();
  await listener.close();
});

test('embedded server: a user without subjects may still answer what it is asked, where responses are allowed', async () => {
  const answering = {
    name: 'answering',
    password: 'a',
    publish: [],
    subscribe: ['yard.ask'],
    allowResponses: true,
  };
  await using server = await startTestServer({ users: [EVERYTHING, answering] });
  const service = await connect({ servers: server.url, user: 'answering', pass: 'a' });
  service.subscribe('yard.ask', { callback: (_error, message) => void message.respond('answer') });
  await service.flush();
  const asking = await asEverything(server.url);
  expect((await asking.request('yard.ask', '', { timeout: 60_000 })).string()).toBe('answer');
  await service.close();
  await asking.close();
});

test('embedded server: an occupied port is named with the mend, and the folder can be used at once', async () => {
  const occupant = createServer();
  await new Promise<void>((resolve) => occupant.listen(0, '127.0.0.1', resolve));
  const { port } = occupant.address() as AddressInfo;
  await using folder = await temporaryFolder();
  const start = (at: number) => startTestServer({ port: at, stateDirectory: folder.path });
  await expect(start(port)).rejects.toThrow(`Port ${port} is in use by another program`);
  await expect(start(port)).rejects.toThrow('--port N');
  await new Promise((resolve) => occupant.close(resolve));
  await using server = await start(port);
  expect(server.port).toBe(port);
});

test('embedded server: kill -9 and a restart on the same folder and port keep every acknowledged message', async () => {
  await using server = await startTestServer({ durability: 'power' });
  const connection = await asEverything(server.url);
  await (await jetstreamManager(connection)).streams.add({ name: 'KEPT', subjects: ['kept.>'] });
  for (let number = 0; number < 20; number++) await jetstream(connection).publish('kept.it', String(number));
  process.kill(server.pid, 'SIGKILL');
  expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' });
  await connection.close();

  await using again = await startTestServer({ stateDirectory: server.stateDirectory, port: server.port });
  expect(again.url).toBe(server.url);
  const reconnected = await asEverything(again.url);
  const kept = await (await jetstreamManager(reconnected)).streams.info('KEPT');
  expect(kept.state.messages).toBe(20);
  await reconnected.close();
});

test('embedded server: configuration and log are for the owner only', async () => {
  await using server = await startTestServer();
  const home = join(server.stateDirectory, 'nats');
  expect((await stat(home)).mode & 0o777).toBe(0o700);
  for (const name of ['server.conf', 'server.log', 'lock.json']) {
    expect((await stat(join(home, name))).mode & 0o777, name).toBe(0o600);
  }
  expect(await readFile(join(home, 'server.log'), 'utf8')).not.toContain(EVERYTHING.password);
});

test('embedded server: two on two folders do not disturb each other', async () => {
  await using one = await startTestServer({ name: 'one' });
  await using two = await startTestServer({ name: 'two' });
  const [first, second] = await Promise.all([asEverything(one.url), asEverything(two.url)]);
  await (await jetstreamManager(first)).streams.add({ name: 'SAME', subjects: ['same'] });
  await jetstream(first).publish('same', 'only here');
  expect(await (await jetstreamManager(second)).streams.names().next()).toEqual([]);
  await first.close();
  await one.stop();
  expect((await second.rtt()) >= 0).toBe(true);
  await second.close();
});

test('embedded server: a second one on the same folder is refused, and the first goes on', async () => {
  await using server = await startTestServer();
  const second = startTestServer({ stateDirectory: server.stateDirectory });
  await expect(second).rejects.toThrow(
    `is in use by process ${process.pid}. Stop that one, or choose another folder`,
  );
  const connection = await asEverything(server.url);
  await connection.close();
});

test.each([
  ['the system ends it with its starter', process.env['PATH']],
  ['only the next start can end it', '/nonexistent'],
])(
  'embedded server: one whose starter was killed is gone before the next start: %s',
  async (_title, PATH) => {
    const systemEndsIt = (await findOnPath('setpriv', PATH ?? '')).length > 0;
    await using folder = await temporaryFolder();
    const starter = execFile(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import { startTestServer } from ${JSON.stringify(new URL('./server-fixture.ts', import.meta.url).href)};
     const server = await startTestServer({ stateDirectory: ${JSON.stringify(folder.path)} });
     console.log('started');
     await server.exited;`,
      ],
      { env: { ...process.env, PATH } },
    );
    await new Promise((resolve) => starter.stdout?.once('data', resolve));
    const lock = JSON.parse(await readFile(join(folder.path, 'nats', 'lock.json'), 'utf8'));
    const left = lock.server as ProcessIdentity;
    expect(isRunning(left)).toBe(true);
    starter.kill('SIGKILL');
    await new Promise((resolve) => starter.once('exit', resolve));
    if (systemEndsIt) await expect.poll(() => isRunning(left)).toBe(false);
    else expect(isRunning(left)).toBe(true);

    await using server = await startTestServer({ stateDirectory: folder.path });
    expect(isRunning(left)).toBe(false);
    expect(server.pid).not.toBe(left.pid);
  },
);

test('embedded server: what keeps it from starting is quoted from its log, and nothing is left running', async () => {
  await using folder = await temporaryFolder();
  const start = startServer({
    binary: await serverBinary(),
    stateDirectory: folder.path,
    name: 'a name with spaces',
    durability: 'process',
    users: [EVERYTHING],
  });
  await expect(start).rejects.toThrow(
    /ended with code 1 before it was ready.*server name cannot contain spaces/is,
  );
  expect(await readdir(join(folder.path, 'nats'))).not.toContain('lock.json');
});

test('embedded server: a program that never gets ready is given up at the limit and ended', async () => {
  await using folder = await temporaryFolder();
  const start = startServer({
    // Sleeps whatever it is told: stands for a server that hangs.
    binary: await fakeHangingServer(folder.path),
    stateDirectory: folder.path,
    name: 'hanging',
    durability: 'process',
    users: [EVERYTHING],
    startLimitMs: 300,
  });
  await expect(start).rejects.toThrow('was not ready within 0.3 s');
  const pid = Number(await readFile(join(folder.path, 'pid'), 'utf8'));
  expect(pid).toBeGreaterThan(0);
  expect(identifyProcess(pid)).toBeUndefined();
});

async function fakeHangingServer(folder: string): Promise<string> {
  const file = join(folder, 'fake-hanging-server');
  await writeFile(file, `#!/bin/sh\necho $$ > '${join(folder, 'pid')}'\nexec sleep 60\n`);
  await chmod(file, 0o755);
  return file;
}
