import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, copyFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { findServer } from './nats-binary.ts';
import { PINNED_SERVER, readServerVersion } from './nats-version.ts';
import { fetchOfficialRelease, installCommand } from './official-release.ts';
import { findOnPath } from './program.ts';
import { serverBinary, temporaryFolder } from './server-fixture.ts';

const STEM = `nats-server-v${PINNED_SERVER}-${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;

/** A stand-in for the release page, on loopback: a real server in an archive of the official layout. */
async function releasePage(folder: string, sum?: string) {
  await mkdir(join(folder, STEM), { recursive: true });
  await copyFile(await serverBinary(), join(folder, STEM, 'nats-server'));
  execFileSync('tar', ['-czf', join(folder, 'archive'), '-C', folder, STEM]);
  const archive = await readFile(join(folder, 'archive'));
  const right = createHash('sha256').update(archive).digest('hex');
  const page = createServer((request, response) => {
    if (request.url === `/v${PINNED_SERVER}/SHA256SUMS`) response.end(`${sum ?? right}  ${STEM}.tar.gz\n`);
    else if (request.url === `/v${PINNED_SERVER}/${STEM}.tar.gz`) response.end(archive);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
  return { url, [Symbol.asyncDispose]: async () => void page.close() };
}

test('official release: is announced with size and source, verified, and cached', async () => {
  await using folder = await temporaryFolder();
  await using page = await releasePage(join(folder.path, 'page'));
  const said: string[] = [];
  const search = {
    cacheDirectory: join(folder.path, 'cache'),
    path: '/bin',
    say: (line: string) => said.push(line),
    releaseUrl: page.url,
    minimum: '2.10.1',
  };
  const found = await findServer(search);
  expect(found.binary).toBe(join(folder.path, 'cache', 'nats-server', found.version, 'nats-server'));
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(
    /^Downloading nats-server-v\S+\.tar\.gz \(\d+\.\d MB\) from http:\/\/127\.0\.0\.1:/,
  );
  expect(await findServer(search)).toEqual(found);
  expect(said).toHaveLength(1);
});

test('official release: an archive that does not fit SHA256SUMS is refused', async () => {
  await using folder = await temporaryFolder();
  await using page = await releasePage(join(folder.path, 'page'), 'f'.repeat(64));
  const fetching = fetchOfficialRelease({
    temporary: folder.path,
    path: '/bin',
    say: () => {},
    releaseUrl: page.url,
  });
  await expect(fetching).rejects.toThrow(/has SHA-256 [0-9a-f]{64}, SHA256SUMS says f{64}/);
});

test('official release: a page that does not answer is given up at the limit', async () => {
  await using folder = await temporaryFolder();
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const releaseUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const request = { temporary: folder.path, path: '/bin', say: () => {}, releaseUrl, firstAnswerMs: 200 };
  await expect(fetchOfficialRelease(request)).rejects.toThrow('no answer within 0.2 s');
  silent.closeAllConnections();
  silent.close();
});

const curl = await findOnPath('curl', process.env['PATH'] ?? '');
const reason = curl.length > 0 ? '' : ' (skipped: this machine has no curl)';

test.skipIf(curl.length === 0)(
  `official release: the command given as the mend installs it${reason}`,
  async () => {
    await using folder = await temporaryFolder();
    await using page = await releasePage(join(folder.path, 'page'));
    // The test's folder needs no root.
    const command = installCommand(page.url, folder.path).replace('sudo ', '');
    await promisify(execFile)('sh', ['-c', command]);
    expect(await readServerVersion(join(folder.path, 'nats-server'))).toMatch(/^2\./);
  },
);
