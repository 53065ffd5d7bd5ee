import { appendFile, chmod, cp, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { findServer } from './nats-binary.ts';
import { storeServer } from './nats-cache.ts';
import { readServerVersion } from './nats-version.ts';
import { serverBinary, temporaryFolder } from './server-fixture.ts';

/** An address on loopback where nothing listens any more: an official release that cannot be had. */
async function unreachableUrl(): Promise<string> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return `http://127.0.0.1:${port}`;
}

/** A script that only answers like an old nats-server: a real one that old is in no archive for all machines. */
async function fakeOldServer(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'nats-server');
  await writeFile(file, '#!/bin/sh\necho "nats-server: v2.9.10"\n');
  await chmod(file, 0o755);
  return file;
}

/** A cache that holds the real server, as `findServer` itself stores it. */
async function filledCache(cacheDirectory: string): Promise<string> {
  return (await storeServer(cacheDirectory, await serverBinary(), '2.10.0')).binary;
}

test('finding a server: a good one on the PATH is taken before the cache', async () => {
  await using folder = await temporaryFolder();
  await filledCache(join(folder.path, 'cache'));
  const binary = join(folder.path, 'bin', 'nats-server');
  await cp(await serverBinary(), binary);
  const found = await findServer({
    cacheDirectory: join(folder.path, 'cache'),
    path: dirname(binary),
    say: () => {},
  });
  expect(found).toEqual({ binary, version: await readServerVersion(binary) });
});

test('finding a server: one that is too old on the PATH is passed over with a word', async () => {
  await using folder = await temporaryFolder();
  const old = await fakeOldServer(join(folder.path, 'old'));
  const cached = await filledCache(join(folder.path, 'cache'));
  const said: string[] = [];
  const found = await findServer({
    cacheDirectory: join(folder.path, 'cache'),
    path: dirname(old),
    say: (line) => said.push(line),
  });
  expect(found.binary).toBe(cached);
  expect(said).toEqual([`Passing over ${old}: it is 2.9.10, and 2.10.0 or newer is needed`]);
});

test('finding a server: an explicit binary that is bad or too old is an error, whatever else there is', async () => {
  await using folder = await temporaryFolder();
  await filledCache(join(folder.path, 'cache'));
  const search = { cacheDirectory: join(folder.path, 'cache'), path: '', say: () => {} };
  const old = await fakeOldServer(join(folder.path, 'old'));
  await expect(findServer({ ...search, explicitBinary: old })).rejects.toThrow(
    '2.9.10, which is too old. Name a',
  );
  await expect(findServer({ ...search, explicitBinary: '/bin/true' })).rejects.toThrow(
    '/bin/true is no nats-server',
  );
  await expect(findServer({ ...search, explicitBinary: join(folder.path, 'absent') })).rejects.toThrow(
    'ENOENT',
  );
});

test('finding a server: a cached file that does not fit its recorded checksum is not used', async () => {
  await using folder = await temporaryFolder();
  const cached = await filledCache(folder.path);
  await appendFile(cached, 'one byte more');
  const said: string[] = [];
  const search = { cacheDirectory: folder.path, path: '', say: (line: string) => said.push(line) };
  await expect(findServer({ ...search, releaseUrl: await unreachableUrl() })).rejects.toThrow(
    'none could be fetched',
  );
  expect(said[0]).toBe(`The cached ${cached} does not fit its recorded SHA-256; removing it`);
});

test('finding a server: when no way works, one error lists every way with its reason and the mend', async () => {
  await using folder = await temporaryFolder();
  const tar = join(folder.path, 'bin', 'tar');
  await cp('/bin/tar', tar);
  const search = {
    cacheDirectory: folder.path,
    path: dirname(tar),
    say: () => {},
    releaseUrl: await unreachableUrl(),
  };
  const failure = await findServer(search).catch((error: Error) => error.message);
  expect(failure).toMatch(/official release: http:\/\/127\.0\.0\.1:\d+\/.*ECONNREFUSED/);
  expect(failure).toContain("Debian's package: there is no apt-get on the PATH");
  expect(failure).toContain('go install: there is no go on the PATH');
  expect(failure).toMatch(/\nMend: curl -fsSL \S+\.tar\.gz \| /);
});

/** A Go that only answers what is asked of it, as the script says. */
async function fakeGo(folder: string, install: string): Promise<string> {
  const file = join(folder, 'bin', 'go');
  await mkdir(dirname(file), { recursive: true });
  const env = '[ "$1 $2" = "env GOPROXY" ] && { echo https://someone:secret@proxy.example; exit 0; }';
  await writeFile(file, `#!/bin/sh\n${env}\n${install}\n`);
  await chmod(file, 0o755);
  return dirname(file);
}

test('finding a server: where neither a release nor a package can be had, a Go that is there builds it', async () => {
  await using folder = await temporaryFolder();
  const real = await serverBinary();
  const said: string[] = [];
  const install = [
    '[ "$1" = install ] && [ "$GOTOOLCHAIN" = local ] || exit 1',
    `case "$2" in github.com/nats-io/nats-server/v2@v*) /bin/cp '${real}' "$GOBIN/nats-server";; *) exit 1;; esac`,
  ];
  const found = await findServer({
    cacheDirectory: join(folder.path, 'cache'),
    path: await fakeGo(folder.path, install.join('\n')),
    say: (line) => said.push(line),
    releaseUrl: await unreachableUrl(),
  });
  expect(found.version).toBe(await readServerVersion(real));
  expect(found.binary.startsWith(join(folder.path, 'cache'))).toBe(true);
  expect(said.at(-1)).toMatch(/^Building github\.com\/nats-io\/nats-server\/v2@v\S+ .* from https:\/\/\S+$/);
  expect(said.join()).not.toContain('secret');
});

test('finding a server: a Go that is too old is named with what it says', async () => {
  await using folder = await temporaryFolder();
  const tooOld = 'go: nats-server/v2 requires go >= 1.25 (running go 1.19; GOTOOLCHAIN=local)';
  const search = {
    cacheDirectory: join(folder.path, 'cache'),
    path: await fakeGo(folder.path, `echo '${tooOld}' >&2; exit 1`),
    say: () => {},
    releaseUrl: await unreachableUrl(),
  };
  await expect(findServer(search)).rejects.toThrow(`go install: ${tooOld}`);
});
