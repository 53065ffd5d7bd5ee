import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compareVersions, isAtLeast, readServerVersion } from './nats-version.ts';

/** A nats-server that can be started. */
export type ServerBinary = { binary: string; version: string };

/**
 * The newest cached nats-server that is at least `minimum`; undefined where there is none.
 * The cache holds `nats-server/<version>/nats-server` and, beside it, the SHA-256 recorded when it was
 * stored; a file that no longer fits its record is removed, with a word.
 */
export async function findCachedServer(
  cacheDirectory: string,
  minimum: string,
  say: (line: string) => void,
): Promise<ServerBinary | undefined> {
  const shelf = join(cacheDirectory, 'nats-server');
  const names = await readdir(shelf).catch(() => []);
  const versions = names.filter((name) => /^\d+\.\d+\.\d+/.test(name) && isAtLeast(name, minimum));
  for (const version of versions.sort((left, right) => compareVersions(right, left))) {
    const folder = join(shelf, version);
    const binary = join(folder, 'nats-server');
    const recorded = await readFile(`${binary}.sha256`, 'utf8').catch(() => '');
    const actual = await sha256Of(binary).catch(() => 'unreadable');
    if (recorded.trim() === actual) return { binary, version };
    say(`The cached ${binary} does not fit its recorded SHA-256; removing it`);
    await rm(folder, { recursive: true, force: true });
  }
  return undefined;
}

/**
 * Puts a nats-server into the cache, with its SHA-256, by one rename, so that nobody sees half of it.
 * Throws an Error when the file does not run on this machine or is older than `minimum`.
 */
export async function storeServer(
  cacheDirectory: string,
  file: string,
  minimum: string,
): Promise<ServerBinary> {
  const shelf = join(cacheDirectory, 'nats-server');
  await mkdir(shelf, { recursive: true });
  const fresh = await mkdtemp(join(shelf, '.new-'));
  try {
    const copy = join(fresh, 'nats-server');
    await copyFile(file, copy);
    await chmod(copy, 0o755);
    const version = await readServerVersion(copy);
    if (!isAtLeast(version, minimum)) throw new Error(`it is ${version}, and ${minimum} is needed`);
    await writeFile(`${copy}.sha256`, `${await sha256Of(copy)}\n`);
    const folder = join(shelf, version);
    await rename(fresh, folder).catch(async (failure: NodeJS.ErrnoException) => {
      // Somebody else stored the same version first: use theirs.
      if (failure.code !== 'ENOTEMPTY' && failure.code !== 'EEXIST') throw failure;
    });
    return { binary: join(folder, 'nats-server'), version };
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** The SHA-256 of a file, in hexadecimal. */
async function sha256Of(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}
