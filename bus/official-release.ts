import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { megabytes } from './debian-package.ts';
import { PINNED_SERVER } from './nats-version.ts';
import { requireOnPath, runProgram } from './program.ts';

const RELEASE_URL = 'https://github.com/nats-io/nats-server/releases/download';
const ARCHITECTURES: Record<string, string> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm7',
  s390x: 's390x',
  ppc64: 'ppc64le',
};

/** Limits in milliseconds: where a network swallows packets, the next way is tried soon. */
const FIRST_ANSWER_MS = 5_000;
const WHOLE_DOWNLOAD_MS = 120_000;

/**
 * Downloads the pinned official release for this machine, checks it against the SHA256SUMS of the release,
 * and extracts it inside `temporary`; returns the binary's path.
 * Throws an Error with the reason: no such build, no network, wrong checksum.
 */
export async function fetchOfficialRelease(options: {
  temporary: string;
  path: string;
  say: (line: string) => void;
  releaseUrl?: string;
  /** How long to wait for a first answer, in milliseconds. */
  firstAnswerMs?: number;
}): Promise<string> {
  const { temporary, path, say, releaseUrl = RELEASE_URL, firstAnswerMs = FIRST_ANSWER_MS } = options;
  const stem = releaseStem();
  const tar = await requireOnPath('tar', path);
  const base = `${releaseUrl}/v${PINNED_SERVER}`;

  // Node's own fetch ignores proxy variables unless told; the caller's setting is put back afterwards.
  const restoreProxy = (await import('node:http')).setGlobalProxyFromEnv?.() ?? (() => {});
  try {
    const sums = (await get(`${base}/SHA256SUMS`, firstAnswerMs)).toString('utf8');
    const expected = sums
      .split('\n')
      .map((line) => line.trim().split(/\s+\*?/))
      .find(([, name]) => name === `${stem}.tar.gz`)?.[0];
    if (!expected) throw new Error(`SHA256SUMS of v${PINNED_SERVER} does not name ${stem}.tar.gz`);
    const archive = await get(`${base}/${stem}.tar.gz`, firstAnswerMs, (bytes) =>
      say(`Downloading ${stem}.tar.gz (${bytes ? megabytes(bytes) : 'size unknown'}) from ${base}`),
    );
    const actual = createHash('sha256').update(archive).digest('hex');
    if (actual !== expected)
      throw new Error(`${stem}.tar.gz has SHA-256 ${actual}, SHA256SUMS says ${expected}`);
    const file = join(temporary, `${stem}.tar.gz`);
    await writeFile(file, archive);
    await runProgram(tar, ['-xzf', file, '-C', temporary], { timeoutMs: 60_000 });
    return join(temporary, stem, 'nats-server');
  } finally {
    restoreProxy();
  }
}

/** Name of the pinned release's archive for this machine, without its ending; throws an Error where none is built. */
function releaseStem(): string {
  const architecture = ARCHITECTURES[process.arch];
  if (!architecture || !['linux', 'darwin'].includes(process.platform)) {
    throw new Error(`no build for ${process.platform} ${process.arch}`);
  }
  return `nats-server-v${PINNED_SERVER}-${process.platform}-${architecture}`;
}

/** One command that puts the pinned release where every PATH looks. */
export function installCommand(releaseUrl: string = RELEASE_URL, folder: string = '/usr/local/bin'): string {
  const stem = releaseStem();
  const root = process.getuid?.() === 0 ? '' : 'sudo ';
  const archive = `${releaseUrl}/v${PINNED_SERVER}/${stem}.tar.gz`;
  return `curl -fsSL ${archive} | ${root}tar -xz -C ${folder} --strip-components=1 ${stem}/nats-server`;
}

async function get(
  url: string,
  firstAnswerMs: number,
  announce?: (bytes: number | undefined) => void,
): Promise<Buffer> {
  const limit = new AbortController();
  const firstAnswer = setTimeout(
    () => limit.abort(new Error(`no answer within ${firstAnswerMs / 1000} s`)),
    firstAnswerMs,
  );
  const whole = setTimeout(
    () => limit.abort(new Error(`not done within ${WHOLE_DOWNLOAD_MS / 1000} s`)),
    WHOLE_DOWNLOAD_MS,
  );
  try {
    const response = await fetch(url, { signal: limit.signal });
    clearTimeout(firstAnswer);
    if (!response.ok) throw new Error(`status ${response.status}`);
    announce?.(Number(response.headers.get('content-length')) || undefined);
    return Buffer.from(await response.arrayBuffer());
  } catch (failure) {
    throw new Error(`${url}: ${reasonOf(failure)}`, { cause: failure });
  } finally {
    clearTimeout(firstAnswer);
    clearTimeout(whole);
  }
}

/** fetch hides what happened ("fetch failed") in the cause. */
function reasonOf(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure);
  return failure.cause instanceof Error ? failure.cause.message : failure.message;
}
