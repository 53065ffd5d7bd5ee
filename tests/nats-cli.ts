import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectoryOf } from '../bus/cache-directory.ts';
import { findOnPath, requireOnPath, runProgram } from '../bus/program.ts';

const version = '0.5.0';
const module = `github.com/nats-io/natscli/nats@v${version}`;
const cached = (environment: NodeJS.ProcessEnv) =>
  join(cacheDirectoryOf(environment), `natscli-${version}`, 'nats');

/** The `nats` CLI on the PATH, else the one that was built into the cache; or how it can be had. */
export async function findNatsCli(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<{ program: string } | { missing: string }> {
  const [program] = await findOnPath('nats', environment['PATH'] ?? '');
  if (program) return { program };
  if (existsSync(cached(environment))) return { program: cached(environment) };
  return {
    missing: 'there is no nats CLI on the PATH; where there is Go, `npm run build:nats-cli` makes one',
  };
}

/** Builds the CLI into the cache, with the Go that is there: three minutes of a processor, so no test does it unasked. */
async function build(environment: NodeJS.ProcessEnv): Promise<string> {
  const go = await requireOnPath('go', environment['PATH'] ?? '');
  const cache = cacheDirectoryOf(environment);
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'natscli-'));
  try {
    await runProgram(go, ['install', module], {
      timeoutMs: 1_200_000,
      cwd: folder,
      environment: { ...environment, GOBIN: folder, GOTOOLCHAIN: 'local', CGO_ENABLED: '0' },
    });
    mkdirSync(join(cached(environment), '..'), { recursive: true });
    renameSync(join(folder, 'nats'), cached(environment));
    return cached(environment);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) console.log(`${await build(process.env)} is ready; the tests find it there`);
