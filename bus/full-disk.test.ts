import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startTestServer, temporaryFolder } from './server-fixture.ts';

const MOUNT = ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs'];

async function tryMount(): Promise<string | undefined> {
  await using folder = await temporaryFolder();
  try {
    execFileSync('mount', [...MOUNT, folder.path], { stdio: 'pipe' });
    execFileSync('umount', [folder.path]);
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
    execFileSync('umount', [folder.path]);
  }
});
