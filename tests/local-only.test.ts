import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import type { DataOf } from '../schemas/catalogue.ts';
import { connectionsOf } from './sockets.ts';
import { openYard, type Yard } from './yard.ts';

/** An address of this machine that is not its loopback: to whoever asks it, it is elsewhere. */
const elsewhere = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
const isWatchable = process.platform === 'linux' && elsewhere !== undefined;

let yard: Yard | undefined;
let server: Server | undefined;
afterEach(async () => {
  await yard?.stop();
  server?.close();
});

/** One task in this mode, a model elsewhere first: whom the mesh's processes were connected to meanwhile. */
async function connectionsIn(mode: 'local-only' | 'local+api') {
  let taken = 0;
  server = createServer((socket) => {
    taken += 1;
    socket.on('error', () => {});
    // Long enough to be seen by whoever looks.
    const refusal = 'HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';
    setTimeout(() => socket.end(refusal), 500);
  });
  await new Promise<void>((resolve) => void server!.listen(0, elsewhere, resolve));
  const { port } = server.address() as AddressInfo;
  const api = {
    backend: 'openai' as const,
    pool: 'api',
    url: `http://${elsewhere}:${port}/v1`,
    timeoutMs: 10_000,
  };
  yard = await openYard({
    mode,
    pools: ['api'],
    overrides: { models: { api }, roles: { coder: ['api', 'scripted'] } },
  });
  const remotes = new Set<string>();
  const look = () => {
    for (const one of connectionsOf(yard!.launcher.children().map(({ pid }) => pid)))
      if (!one.isLoopback) remotes.add(one.remote);
  };
  const looking = setInterval(look, 20);
  const taskId = await yard.submit();
  const route = await yard.until(taskId, (_one, type) => type === 'route.decided');
  expect(await yard.ended(taskId)).toBe('task.completed');
  look();
  clearInterval(looking);
  return { taken, remotes: [...remotes], route: route.event.data as DataOf<'route.decided'>, port };
}

test.skipIf(!isWatchable)(
  'local-only: the processes of a mesh are connected to this machine alone, and the decision says why',
  async () => {
    const { taken, remotes, route } = await connectionsIn('local-only');
    expect(remotes).toEqual([]);
    expect(taken).toBe(0);
    expect(route).toMatchObject({
      model: 'scripted',
      rejected: [{ model: 'api', why: 'it is asked elsewhere, and the mode is local-only' }],
    });
    // It is connected at all: to its broker, here.
    expect(connectionsOf(yard!.launcher.children().map(({ pid }) => pid)).length).toBeGreaterThan(0);
  },
);

test.skipIf(!isWatchable)(
  'local-only: without it the same mesh does ask elsewhere, and that is seen',
  async () => {
    const { taken, remotes, route, port } = await connectionsIn('local+api');
    expect(taken).toBeGreaterThan(0);
    expect(remotes).toEqual([`${elsewhere}:${port}`]);
    expect(route).toMatchObject({ model: 'api', rejected: [] });
  },
);
