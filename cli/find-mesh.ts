import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readCredential } from '../bus/credentials.ts';
import { BrokerError } from '../bus/errors.ts';
import type { Program } from '../bus/launcher.ts';
import type { Config } from '../config/config.ts';
import { configOfJoined, readJoined } from '../config/joined.ts';
import { loadConfig } from '../config/load.ts';
import { readRunningMesh } from '../config/running-mesh.ts';
import { resolveStateDirectory } from '../config/state.ts';
import type { Role } from '../schemas/row.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';

/** The mesh that a process is to join. */
export interface FoundMesh {
  stateDirectory: string;
  /** The configuration file, where one is named or was brought along. */
  file: string | undefined;
  config: Config;
  url: string;
  /** True where the mesh's own folder is on another host: then there is a role's credential here and no more. */
  isElsewhere: boolean;
}

/** Finds the mesh by its folder, or by the address of its broker. Throws ConfigurationError, CommandError, BrokerError. */
export function findMesh(
  options: { state?: string; config?: string; broker?: string },
  environment: Record<string, string | undefined>,
): FoundMesh {
  const { broker } = options;
  if (broker !== undefined && !/^(nats|tls):\/\/[^@\s/]+:\d+$/.test(broker))
    throw new CommandError(
      `--broker: "${broker.replace(/\/\/[^/]*@/, '//…@')}" is no address of a broker`,
      'give nats://HOST:PORT, or tls://HOST:PORT where the broker encrypts; credentials come with the state folder',
      exitCodes.usage,
    );
  const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
  const mesh = readRunningMesh(stateDirectory);
  const joined = readJoined(stateDirectory);
  const file = options.config ?? mesh?.configFile ?? configOfJoined(stateDirectory, environment);
  const config = loadConfig({ file, stateDirectory, environment });
  if (broker !== undefined && config.mesh.url !== undefined)
    throw new CommandError(
      '--broker and mesh.url both name a broker',
      'leave one of them out',
      exitCodes.usage,
    );
  const url = broker ?? config.mesh.url ?? mesh?.url ?? joined?.url;
  if (url === undefined)
    throw new BrokerError(
      `no mesh runs on ${stateDirectory}`,
      'start one with `./switchyard up`, name its folder with --state DIR, or join one on another host with --broker URL; docs/deploy.md shows how',
    );
  const isElsewhere = joined !== undefined || broker !== undefined;
  return { stateDirectory, file, config, url, isElsewhere };
}

/** The broker's user that a program is. */
export const userOf = (program: Program): Role =>
  program === 'gpu-worker' ? 'inference' : (program as Exclude<Program, 'observer' | 'gpu-worker'>);

/** Whether all that is said on the way can be read by nobody else. */
export const isEncrypted = (url: string): boolean =>
  /^(tls|wss):/.test(url) || /^[a-z]+:\/\/(localhost|127\.[\d.]+|\[::1\])[:/]/.test(url);

/** Throws CommandError where this host was not given the role's credential, or not as it should be. */
export async function requireCredential(stateDirectory: string, role: Role): Promise<void> {
  const command = `./switchyard credentials export ${role} --to DIR`;
  if (!existsSync(join(stateDirectory, 'credentials', `${role}.json`)))
    throw new CommandError(
      `${stateDirectory} holds no credentials of the ${role}`,
      `on the mesh's own host \`${command}\`, then bring that folder here and name it with --state`,
      exitCodes.authentication,
    );
  try {
    await readCredential(stateDirectory, role);
  } catch (error) {
    throw new CommandError(
      `the credentials of the ${role} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      `or make them anew on the mesh's own host: ${command}`,
      exitCodes.authentication,
    );
  }
}
