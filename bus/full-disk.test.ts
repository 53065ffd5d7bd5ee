import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EVERYTHING, startTestServer, temporaryFolder } from './server-fixture.ts';

const MOUNT = ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs'];

async function tryMount(): Promise<string | undefined> {
  await using folder = await temporaryFolder();
  try {
    execFileSync('mount', [...MOUNT, folder.path], { stdio: 'pipe' });
    execFileSync('umount', ['-l', folder.path]);
    return undefined;
  } catch (failure) {
    return (failure as Error).message.split('\n').at(-1) ?? 'mount failed';
  }
}

const obstacle = await tryMount();
const reason = obstacle === undefined ? '' : ` (skipped: no tmpfs can be mounted here: ${obstacle})`;

test.skipIf(obstacle !== undefined)(`full disk: the start says so with the mend${reason}`, async () => {
  await using folder = await temporaryFolder();
  execFileSync('mount', [...MOUNT, folder.path]);
  try {
    await writeFile(join(folder.path, 'ballast'), Buffer.alloc(40 << 20));
    const mend =
      /^The disk that holds \S+ is full.*Make room there, or keep the state elsewhere with --state DIR\.$/;
    await expect(startTestServer({ stateDirectory: folder.path })).rejects.toThrow(mend);
    // Not a byte left: not even the folder's lock can be written.
    await writeFile(join(folder.path, 'rest'), Buffer.alloc(24 << 20)).catch(() => {});
    await expect(startTestServer({ stateDirectory: folder.path })).rejects.toThrow(mend);
    execFileSync('rm', [join(folder.path, 'ballast'), join(folder.path, 'rest')]);
    const server = await startTestServer({ stateDirectory: folder.path });
    await server.stop();
  } finally {
    execFileSync('umount', ['-l', folder.path]);
  }
});

test.skipIf(obstacle !== undefined)(
  `full disk: a store without room refuses, and keeps what it acknowledged${reason}`,
  async () => {
    await using folder = await temporaryFolder();
    execFileSync('mount', [...MOUNT, folder.path]);
    try {
      const server = await startTestServer({ stateDirectory: folder.path });
      const connection = await connect({
        servers: server.url,
        user: EVERYTHING.name,
        pass: EVERYTHING.password,
      });
      const manager = await jetstreamManager(connection);
      await manager.streams.add({ name: 'FILLING', subjects: ['filling'] });
      let acknowledged = 0;
      const fill = async () => {
        for (; acknowledged < 100; acknowledged++)
          await jetstream(connection).publish('filling', Buffer.alloc(1 << 20));
      };
      await expect(fill()).rejects.toThrow(/insufficient|resources|storage/i);
      expect(acknowledged).toBeGreaterThan(30);
      await connection.close();
      await server.stop();

      execFileSync('mount', ['-o', 'remount,size=128m', folder.path]);
      const roomier = await startTestServer({ stateDirectory: folder.path });
      const again = await connect({ servers: roomier.url, user: EVERYTHING.name, pass: EVERYTHING.password });
      expect((await (await jetstreamManager(again)).streams.info('FILLING')).state.messages).toBe(
        acknowledged,
      );
      await jetstream(again).publish('filling', 'there is room again');
      await again.close();
      await roomier.stop();
    } finally {
      execFileSync('umount', ['-l', folder.path]);
    }
  },
);
