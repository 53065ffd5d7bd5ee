import { readdir, readFile, readlink } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { startTestServer } from './server-fixture.ts';

const LISTEN = '0A';

/** Every TCP socket in state LISTEN that the process holds open, as the kernel lists them. */
async function listeningSockets(pid: number): Promise<{ address: string; port: number }[]> {
  const inodes = new Set<string>();
  for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode) inodes.add(inode);
  }
  const sockets: { address: string; port: number }[] = [];
  for (const table of ['tcp', 'tcp6']) {
    const lines = (await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => ''))
      .trim()
      .split('\n')
      .slice(1);
    for (const line of lines) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      const [address = '', port = ''] = local.split(':');
      if (state === LISTEN && inodes.has(inode)) sockets.push({ address, port: Number.parseInt(port, 16) });
    }
  }
  return sockets.sort((left, right) => left.port - right.port);
}

const onLinux = test.skipIf(process.platform !== 'linux');
const reason = process.platform === 'linux' ? '' : ' (skipped: this system has no /proc/PID/net)';

onLinux(`listening ports: the list is complete and all are on loopback${reason}`, async () => {
  await using server = await startTestServer({ websocketPort: 0, monitoringPort: 0 });
  expect(server.ports.map(({ name }) => name)).toEqual(['nats', 'websocket', 'monitoring']);
  const loopback = '0100007F';
  const listed = server.ports.map(({ port }) => ({ address: loopback, port }));
  expect(await listeningSockets(server.pid)).toEqual(listed.sort((left, right) => left.port - right.port));
});

onLinux(`listening ports: unasked, there is the one for clients and no other${reason}`, async () => {
  await using server = await startTestServer();
  expect(await listeningSockets(server.pid)).toEqual([{ address: '0100007F', port: server.port }]);
});
