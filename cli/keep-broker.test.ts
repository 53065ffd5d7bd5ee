import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Bus } from '../bus/connect.ts';
import { startServer } from '../bus/nats-server.ts';
import { EVERYTHING, serverBinary, temporaryFolder } from '../bus/server-fixture.ts';
import { eventually } from '../tests/yard-parts.ts';
import { exitCodes } from './exit-codes.ts';
import { keepBroker } from './keep-broker.ts';
import type { Broker } from './mesh.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let broker: Broker;
let bus: Bus;
beforeAll(async () => {
  folder = await temporaryFolder();
  const settings = {
    binary: await serverBinary(),
    stateDirectory: folder.path,
    name: 'test',
    durability: 'process' as const,
    users: [EVERYTHING],
  };
  const server = await startServer(settings);
  bus = await connect(server.url, 'test', { user: EVERYTHING.name, password: EVERYTHING.password });
  broker = {
    url: server.url,
    ports: {},
    version: server.version,
    bus,
    server,
    async restart() {
      await broker.server?.stop();
      broker.server = await startServer({ ...settings, port: server.port });
    },
    letIn: async () => {},
  };
});
afterAll(async () => {
  await bus?.connection.close();
  await broker?.server?.stop();
  await folder?.[Symbol.asyncDispose]();
});

test('a nats-server that dies is started anew where it was, a few times; one that dies again and again ends the mesh', async () => {
  const said: string[] = [];
  let restarts = 0;
  const keeper = keepBroker(
    broker,
    (line) => said.push(line),
    () => (restarts += 1),
    10,
  );
  for (const times of [1, 2, 3]) {
    process.kill(broker.server!.pid, 'SIGKILL');
    await eventually(() => restarts === times, `restart ${times}`);
    await eventually(() => bus.connection.rtt().catch(() => undefined), 'the client to find it');
  }
  const each = [
    expect.stringMatching(/the nats-server ended \(SIGKILL\); it is started anew/),
    expect.stringContaining('all goes on'),
  ];
  expect(said).toEqual([...each, ...each, ...each]);
  process.kill(broker.server!.pid, 'SIGKILL');
  expect(await keeper.ended).toBe(exitCodes.unreachable);
  expect(said.at(-1)).toMatch(/ended \(SIGKILL\) and was started anew 3 times .*Nothing accepted is lost/);
  await keeper.stop();
});

test('a nats-server whose keeper is stopped is left as it is', async () => {
  await broker.restart();
  const said: string[] = [];
  const keeper = keepBroker(
    broker,
    (line) => said.push(line),
    () => {},
    10,
  );
  await keeper.stop();
  process.kill(broker.server!.pid, 'SIGKILL');
  await broker.server!.exited;
  expect(said).toEqual([]);
});
