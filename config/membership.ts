import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brokerCredentials } from './broker-credentials.ts';
import type { Config } from './config.ts';
import { ConfigurationError } from './configuration-error.ts';
import { loadConfig } from './load.ts';
import { configOfJoined, readJoined } from './joined.ts';
import { readMeshFile } from './mesh-file.ts';
import { checkoutRoot, resolveStateDirectory } from './state.ts';

/**
 * What a process is told to be and where: `node agents/main.ts coder --state DIR`, and variables of the same names.
 * `--broker URL` says where the mesh's broker is, as seen from another host.
 */
export interface ProcessSettings {
  config: Config;
  mesh: Config['mesh'];
  brokerUser: { user: string; password: string } | undefined;
  stateDirectory: string;
  url: string;
  version: string;
  logLevel: string;
}

/** Reads what a role's process needs to join its mesh. Throws ConfigurationError. */
export function processSettings(
  argv: string[],
  environment: Record<string, string | undefined>,
): ProcessSettings {
  const stateFlag = flag(argv, '--state');
  const stateDirectory = resolveStateDirectory({ flag: stateFlag, environment });
  const file = flag(argv, '--config') ?? configOfJoined(stateDirectory, environment);
  const config = loadConfig({ file, stateDirectory, environment });
  const url =
    flag(argv, '--broker') ??
    config.mesh.url ??
    readMeshFile(stateDirectory)?.url ??
    readJoined(stateDirectory)?.url;
  if (url === undefined) {
    throw new ConfigurationError([
      `no mesh runs on ${stateDirectory}: start one with \`./switchyard up\`, or name a server in mesh.url`,
    ]);
  }
  return {
    config,
    mesh: config.mesh,
    brokerUser: brokerCredentials(config.mesh),
    stateDirectory,
    url,
    version: packageVersion(),
    logLevel: config.log.level,
  };
}

function flag(argv: string[], name: string): string | undefined {
  const place = argv.indexOf(name);
  return place < 0 ? undefined : argv[place + 1];
}

/** Switchyard's own version. */
export function packageVersion(): string {
  const file = join(checkoutRoot, 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : '0.0.0';
}
