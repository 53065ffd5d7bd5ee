import { resolve } from 'node:path';
import { findCachedServer } from './nats-cache.ts';
import type { ServerBinary } from './nats-cache.ts';
import { fetchServer } from './nats-fetch.ts';
import { isAtLeast, OLDEST_SERVER, PINNED_SERVER, readServerVersion } from './nats-version.ts';
import { findOnPath } from './program.ts';

/** Where a nats-server is looked for. */
export type FindServerOptions = {
  /** A file the operator named: it is used or it is an error, nothing else is tried. */
  explicitBinary?: string;
  /** See `cacheDirectoryOf`. */
  cacheDirectory: string;
  /** A PATH variable. */
  path: string;
  /** Gets one line each time something is passed over or downloaded. */
  say: (line: string) => void;
  /** The oldest version that will do; `OLDEST_SERVER` where absent. */
  minimum?: string;
  /** Where the official releases lie, without the version; another address for a mirror. */
  releaseUrl?: string;
};

/**
 * Finds a nats-server: the explicit one, a good one on the PATH, the cache, else fetches one.
 * Throws an Error that says what was wrong, or lists every way tried, with the command that mends it.
 */
export async function findServer(options: FindServerOptions): Promise<ServerBinary> {
  const { explicitBinary, cacheDirectory, path, say, minimum = OLDEST_SERVER, releaseUrl } = options;
  if (explicitBinary !== undefined) return checkExplicit(resolve(explicitBinary), minimum);
  for (const binary of await findOnPath('nats-server', path)) {
    try {
      const version = await readServerVersion(binary);
      if (isAtLeast(version, minimum)) return { binary, version };
      say(`Passing over ${binary}: it is ${version}, and ${minimum} or newer is needed`);
    } catch (failure) {
      say(`Passing over ${binary}: ${failure instanceof Error ? failure.message : String(failure)}`);
    }
  }
  const cached = await findCachedServer(cacheDirectory, minimum, say);
  return cached ?? (await fetchServer({ cacheDirectory, path, minimum, say, releaseUrl }));
}

async function checkExplicit(binary: string, minimum: string): Promise<ServerBinary> {
  const mend = `Name a nats-server ${minimum} or newer, or leave the option out to have ${PINNED_SERVER} found or fetched.`;
  let version: string;
  try {
    version = await readServerVersion(binary);
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    throw new Error(`${binary} is no nats-server that runs here: ${reason}. ${mend}`, { cause: failure });
  }
  if (isAtLeast(version, minimum)) return { binary, version };
  throw new Error(`${binary} is nats-server ${version}, which is too old. ${mend}`);
}
