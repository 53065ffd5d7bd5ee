import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { extractDebianPackage } from './debian-package.ts';
import { makeDownloadFolder } from './download-folder.ts';
import { storeServer } from './nats-cache.ts';
import type { ServerBinary } from './nats-cache.ts';
import { PINNED_SERVER } from './nats-version.ts';
import { fetchOfficialRelease, installCommand } from './official-release.ts';
import { requireOnPath, runProgram } from './program.ts';
import { withoutPassword } from './without-password.ts';

/** What fetching a nats-server needs. */
export type FetchServerOptions = {
  cacheDirectory: string;
  path: string;
  minimum: string;
  say: (line: string) => void;
  /** Where the official releases lie, without the version; another address for a mirror. */
  releaseUrl?: string;
};

type Workplace = FetchServerOptions & { temporary: string };

/** Each way leaves a nats-server and returns its file, or throws an Error with the reason. */
const WAYS: { title: string; fetch: (workplace: Workplace) => Promise<string> }[] = [
  { title: 'official release', fetch: (workplace) => fetchOfficialRelease(workplace) },
  { title: "Debian's package", fetch: fromDebian },
  { title: 'go install', fetch: fromGo },
];

/**
 * Fetches a nats-server into the cache, by the first way that works, and verifies it.
 * Throws one Error that lists each way with its reason and the command that mends it.
 */
export async function fetchServer(options: FetchServerOptions): Promise<ServerBinary> {
  const reasons: string[] = [];
  for (const way of WAYS) {
    let temporary: string | undefined;
    try {
      temporary = await makeDownloadFolder(options.cacheDirectory);
      const file = await way.fetch({ ...options, temporary });
      return await storeServer(options.cacheDirectory, file, options.minimum);
    } catch (failure) {
      const reason = failure instanceof Error ? failure.message : String(failure);
      options.say(`nats-server by ${way.title}: ${reason}`);
      reasons.push(`  ${way.title}: ${reason}`);
    } finally {
      if (temporary) await rm(temporary, { recursive: true, force: true });
    }
  }
  throw new Error(
    [
      `No nats-server ${options.minimum} or newer is on the PATH or in the cache, and none could be fetched:`,
      ...reasons,
      `Mend: ${mendingCommand()}`,
    ].join('\n'),
  );
}

/** What a person can do about it, once there is a network. */
function mendingCommand(): string {
  try {
    return installCommand();
  } catch {
    return `build nats-server v${PINNED_SERVER} for ${process.platform} ${process.arch} and put it on the PATH`;
  }
}

async function fromDebian({ path, say, temporary }: Workplace): Promise<string> {
  const into = join(temporary, 'files');
  // Debian's released suites carry servers that are too old; unstable's runs on them (it needs libc >= 2.34).
  await extractDebianPackage({ package: 'nats-server', suite: 'unstable', temporary, into, path, say });
  return join(into, 'usr', 'sbin', 'nats-server');
}

async function fromGo({ path, say, temporary }: Workplace): Promise<string> {
  const go = await requireOnPath('go', path);
  const into = join(temporary, 'bin');
  await mkdir(into, { recursive: true });
  // GOTOOLCHAIN=local: a Go that is too old says so at once instead of downloading another Go.
  const environment = { ...process.env, PATH: path, GOBIN: into, GOTOOLCHAIN: 'local', CGO_ENABLED: '0' };
  const proxy = await runProgram(go, ['env', 'GOPROXY'], { timeoutMs: 10_000, environment });
  const module = `github.com/nats-io/nats-server/v2@v${PINNED_SERVER}`;
  say(`Building ${module} (about 50 MB of source, a minute or two) from ${withoutPassword(proxy.trim())}`);
  await runProgram(go, ['install', module], { timeoutMs: 300_000, cwd: temporary, environment });
  return join(into, 'nats-server');
}
