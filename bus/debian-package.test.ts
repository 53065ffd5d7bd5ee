import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { expect, test, vi } from 'vitest';
import { extractDebianPackage, fetchDebianPackage } from './debian-package.ts';
import { readServerVersion, isAtLeast } from './nats-version.ts';
import { findOnPath } from './program.ts';
import { temporaryFolder } from './server-fixture.ts';

const hasApt = (await findOnPath('apt-get', process.env['PATH'] ?? '')).length > 0;
const onDebian = test.skipIf(!hasApt);
const titleOf = (title: string) => (hasApt ? title : `${title} (skipped: this machine has no apt-get)`);

onDebian(
  titleOf("Debian package: unstable's nats-server is fetched without root and runs here"),
  async () => {
    await using folder = await temporaryFolder();
    const said: string[] = [];
    const into = join(folder.path, 'files');
    await extractDebianPackage({
      package: 'nats-server',
      suite: 'unstable',
      temporary: folder.path,
      into,
      say: (line) => said.push(line),
    });
    expect(isAtLeast(await readServerVersion(join(into, 'usr/sbin/nats-server')), '2.10.0')).toBe(true);
    expect(said[1]).toMatch(/^Downloading nats-server_\S+\.deb \(\d+\.\d MB\) from \S+$/);
  },
);

onDebian(
  titleOf('Debian package: two callers at once end with one whole folder, and the third finds it'),
  async () => {
    await using folder = await temporaryFolder();
    const said: string[] = [];
    const request = {
      package: 'bubblewrap',
      cacheDirectory: folder.path,
      say: (line: string) => said.push(line),
    };
    const [first, second] = await Promise.all([fetchDebianPackage(request), fetchDebianPackage(request)]);
    expect(second).toBe(first);
    expect(execFileSync(join(first, 'usr/bin/bwrap'), ['--version'], { encoding: 'utf8' })).toMatch(
      /^bubblewrap \d/,
    );
    expect(await readdir(folder.path)).toEqual(['debian']);
    const before = said.length;
    expect(await fetchDebianPackage(request)).toBe(first);
    expect(said).toHaveLength(before);
  },
);

onDebian(
  titleOf('Debian package: an unknown one is refused with its name and leaves nothing behind'),
  async () => {
    await using folder = await temporaryFolder();
    const request = { package: 'no-such-package-anywhere', cacheDirectory: folder.path, say: () => {} };
    await expect(fetchDebianPackage(request)).rejects.toThrow('no-such-package-anywhere');
    expect(await readdir(folder.path)).toEqual([]);
  },
);

onDebian(titleOf('Debian package: a mirror that cannot be reached is the reason given'), async () => {
  await using folder = await temporaryFolder();
  // apt goes through a proxy that is not there.
  vi.stubEnv('http_proxy', 'http://127.0.0.1:1').stubEnv('https_proxy', 'http://127.0.0.1:1');
  const request = { package: 'bubblewrap', cacheDirectory: folder.path, say: () => {} };
  await expect(fetchDebianPackage(request)).rejects.toThrow(
    /could not connect|unable to connect|connection refused/i,
  );
  vi.unstubAllEnvs();
});
