import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectoryOf } from './cache-directory.ts';
import { findServer } from './nats-binary.ts';
import { startServer } from './nats-server.ts';
import type { RunningServer, StartServerOptions } from './nats-server.ts';

/** A real server on a folder of its own, for a test; `await using` stops it and removes the folder. */
export type TestServer = RunningServer & { stateDirectory: string } & AsyncDisposable;

/** A user who may do everything. */
export const EVERYTHING = { name: 'everything', password: 'not-a-secret', publish: ['>'], subscribe: ['>'] };

/** Path of a real nats-server, fetched once into the user's cache. */
export async function serverBinary(): Promise<string> {
  const found = await findServer({
    cacheDirectory: cacheDirectoryOf(process.env),
    path: process.env['PATH'] ?? '',
    say: (line) => process.stderr.write(`${line}\n`),
  });
  return found.binary;
}

/** An empty folder for a test; `await using` removes it. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'switchyard-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Files of a key and of a certificate that names this machine by its address on loopback. */
export function makeCertificate(folder: string): { certificate: string; key: string } {
  const [certificate, key] = [join(folder, 'broker.pem'), join(folder, 'broker.key')];
  const subject = ['-subj', '/CN=switchyard test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const keys = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key];
  const words = ['req', '-x509', ...keys, '-out', certificate, '-days', '2', ...subject];
  execFileSync('openssl', words, { stdio: 'pipe' });
  return { certificate, key };
}

/** Starts a real server for a test, with one user who may do everything unless told otherwise. */
export async function startTestServer(options: Partial<StartServerOptions> = {}): Promise<TestServer> {
  // A folder that the test brought is the test's to remove.
  const own = options.stateDirectory === undefined ? await temporaryFolder() : undefined;
  const stateDirectory = options.stateDirectory ?? own?.path ?? '';
  const server = await startServer({
    binary: await serverBinary(),
    name: 'test',
    durability: 'process',
    users: [EVERYTHING],
    ...options,
    stateDirectory,
  });
  const dispose = async () => {
    await server.stop();
    await own?.[Symbol.asyncDispose]();
  };
  return { ...server, stateDirectory, [Symbol.asyncDispose]: dispose };
}
