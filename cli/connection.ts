import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openClient, type Client } from '../bus/client.ts';
import { readCredential, readPublicKeys } from '../bus/credentials.ts';
import { BrokerError } from '../bus/errors.ts';
import { brokerCredentials } from '../config/broker-credentials.ts';
import type { Config } from '../config/config.ts';
import { configOfJoined, readJoined } from '../config/joined.ts';
import { loadConfigAndWarnings, type LoadedConfig } from '../config/load.ts';
import { readMeshFile, type MeshFile } from '../config/mesh-file.ts';
import { readRunningMesh } from '../config/running-mesh.ts';
import { resolveStateDirectory } from '../config/state.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { withFullDisk } from './full-disk.ts';
import type { Call } from './verb.ts';

/** A mesh as a verb reaches it. */
export interface Connection {
  client: Client;
  config: Config;
  stateDirectory: string;
  url: string;
  namespace: string;
  /** What `up` says about it; absent for a broker of the operator's own. */
  mesh: MeshFile | undefined;
}

/** The state folder and the configuration that a verb is called with. Throws ConfigurationError. */
export function settingsOf({
  options,
  environment,
}: Pick<Call<unknown>, 'options' | 'environment'>): LoadedConfig & { stateDirectory: string } {
  const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
  const file =
    options.config ?? readMeshFile(stateDirectory)?.configFile ?? configOfJoined(stateDirectory, environment);
  return { stateDirectory, ...loadConfigAndWarnings({ file, stateDirectory, environment }) };
}

/** Connects as the operator and closes again, however the work ends. Throws ConfigurationError, BrokerError, CommandError. */
export async function withMesh<Result>(
  call: Pick<Call<unknown>, 'options' | 'environment'>,
  work: (mesh: Connection) => Promise<Result>,
): Promise<Result> {
  const connection = await openConnection(call);
  try {
    return await work(connection);
  } catch (error) {
    throw connection.mesh ? withFullDisk(error, connection.stateDirectory) : error;
  } finally {
    await connection.client.close().catch(() => {});
  }
}

async function openConnection(call: Pick<Call<unknown>, 'options' | 'environment'>): Promise<Connection> {
  const { stateDirectory, config } = settingsOf(call);
  const mesh = config.mesh.url === undefined ? readRunningMesh(stateDirectory) : undefined;
  const url = config.mesh.url ?? mesh?.url ?? readJoined(stateDirectory)?.url;
  if (url === undefined) {
    throw new BrokerError(
      `no mesh runs on ${stateDirectory}`,
      'start one with `./switchyard up`, name its folder with --state DIR, or name a server in mesh.url',
    );
  }
  const user = await operatorOf(config, stateDirectory);
  const namespace = mesh?.namespace ?? config.mesh.namespace;
  // Of a broker of the operator's own, whose mesh `up` was started from elsewhere, there may be no keys here.
  const hasKeys = mesh !== undefined || existsSync(join(stateDirectory, 'credentials', 'public-keys.json'));
  const keys = hasKeys ? await readPublicKeys(stateDirectory) : undefined;
  // Nobody here knows whether a broker elsewhere runs at all.
  const client = await openClient(url, namespace, user, keys, mesh ? undefined : 1000);
  return { client, config, stateDirectory, url, namespace, mesh };
}

async function operatorOf(
  config: Config,
  stateDirectory: string,
): Promise<{ user: string; password: string } | undefined> {
  if (config.mesh.url !== undefined) return brokerCredentials(config.mesh);
  try {
    const { password } = await readCredential(stateDirectory, 'operator');
    return { user: 'operator', password };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(
      `the operator's credentials cannot be read: ${why}`,
      'name the folder of the running mesh with --state DIR',
      exitCodes.authentication,
    );
  }
}
