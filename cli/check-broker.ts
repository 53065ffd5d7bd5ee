import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectoryOf } from '../bus/cache-directory.ts';
import { connect } from '../bus/connect.ts';
import { BrokerError } from '../bus/errors.ts';
import { findCachedServer, type ServerBinary } from '../bus/nats-cache.ts';
import { startServer } from '../bus/nats-server.ts';
import { isAtLeast, OLDEST_SERVER, PINNED_SERVER, readServerVersion } from '../bus/nats-version.ts';
import { findOnPath } from '../bus/program.ts';
import { missing, ok, reasonOf, warning, type Checked } from './checked.ts';

type Environment = Record<string, string | undefined>;

/** A nats-server that is here already; nothing is fetched. */
export async function findServerHere(
  environment: Environment,
): Promise<{ checked: Checked; server?: ServerBinary }> {
  const name = 'nats-server';
  const explicit = environment['SWITCHYARD_NATS_SERVER'];
  const passedOver: string[] = [];
  for (const binary of explicit ? [explicit] : await findOnPath('nats-server', environment['PATH'] ?? '')) {
    try {
      const version = await readServerVersion(binary);
      if (isAtLeast(version, OLDEST_SERVER))
        return { checked: ok(name, `${version} (${binary})`), server: { binary, version } };
      passedOver.push(`${binary} is ${version}, and ${OLDEST_SERVER} or newer is needed`);
    } catch (error) {
      passedOver.push(reasonOf(error));
    }
  }
  if (explicit)
    return { checked: missing(name, passedOver.join('; '), 'mend SWITCHYARD_NATS_SERVER, or leave it out') };
  const cached = await findCachedServer(cacheDirectoryOf(environment), OLDEST_SERVER, (line) =>
    passedOver.push(line),
  );
  if (cached) return { checked: ok(name, `${cached.version} (${cached.binary})`), server: cached };
  const why = ['there is none here', ...passedOver].join('; ');
  return { checked: warning(name, why, `./switchyard up fetches ${PINNED_SERVER}, or put one on the PATH`) };
}

/** Starts a server of its own for a moment, on a throw-away folder, to see that JetStream and loopback work here. */
export async function checkJetStream(server: ServerBinary): Promise<Checked> {
  const stateDirectory = await mkdtemp(join(tmpdir(), 'switchyard-doctor-'));
  const user = { name: 'doctor', password: 'for-a-moment', publish: ['>'], subscribe: ['>'] };
  const beganAtMs = performance.now();
  try {
    const running = await startServer({
      binary: server.binary,
      stateDirectory,
      name: 'doctor',
      durability: 'process',
      users: [user],
    });
    try {
      const bus = await connect(running.url, 'doctor', { user: user.name, password: user.password });
      await bus.manager.getAccountInfo();
      await bus.connection.close();
      return ok(
        'JetStream',
        `a server started for the check answered in ${Math.round(performance.now() - beganAtMs)} ms`,
      );
    } finally {
      await running.stop();
    }
  } catch (error) {
    return missing(
      'JetStream',
      reasonOf(error),
      'see the message; `./switchyard up` needs a server that starts',
    );
  } finally {
    await rm(stateDirectory, { recursive: true, force: true });
  }
}

/** The broker of the mesh that runs, or that the configuration names. `isNamed`: it has to be there. */
export async function checkRunning(
  url: string,
  user: { user: string; password: string } | undefined,
  isNamed: boolean,
): Promise<Checked> {
  try {
    const bus = await connect(url, 'doctor', user, 500);
    await bus.manager.getAccountInfo();
    const { serverVersion } = bus;
    await bus.connection.close();
    return ok('mesh', `nats-server ${serverVersion} with JetStream answers at ${url}`);
  } catch (error) {
    const mend = error instanceof BrokerError ? error.mend : './switchyard up';
    return isNamed
      ? missing('mesh', reasonOf(error), mend)
      : warning('mesh', `it does not run now: ${reasonOf(error)}`, './switchyard up');
  }
}
