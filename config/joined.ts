import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from './configuration-error.ts';
import { writePrivateFile } from './private-file.ts';

/** What a host that joins a mesh was told of it, beside credentials and configuration. It holds no password. */
export interface Joined {
  /** Name of the mesh. */
  name: string;
  namespace: string;
  /** Address of the broker, as this host reaches it. */
  url: string;
}

const joinedFile = (stateDirectory: string) => join(stateDirectory, 'joined.json');
/** The configuration that was brought along. */
export const joinedConfigFile = (stateDirectory: string) => join(stateDirectory, 'switchyard.yaml');

/** Says to which mesh a state folder belongs that `credentials export` makes. */
export function writeJoined(stateDirectory: string, joined: Joined): void {
  writePrivateFile(joinedFile(stateDirectory), `${JSON.stringify(joined, null, 2)}\n`);
}

/** The mesh that a state folder was made to join; undefined where it was not. Throws ConfigurationError when the file is damaged. */
export function readJoined(stateDirectory: string): Joined | undefined {
  const file = joinedFile(stateDirectory);
  if (!existsSync(file)) return undefined;
  try {
    const joined = JSON.parse(readFileSync(file, 'utf8')) as Joined;
    if ([joined.name, joined.namespace, joined.url].some((one) => typeof one !== 'string'))
      throw new TypeError('a field is missing');
    return joined;
  } catch (failure) {
    throw new ConfigurationError([
      `${file}: it is damaged (${(failure as Error).message}); export it again on the mesh's own host, with \`./switchyard credentials export\``,
    ]);
  }
}

/** The configuration that holds on a host that joined, where nobody names another; undefined where none was brought. */
export function configOfJoined(
  stateDirectory: string,
  environment: Record<string, string | undefined>,
): string | undefined {
  if (environment['SWITCHYARD_CONFIG'] || readJoined(stateDirectory) === undefined) return undefined;
  const file = joinedConfigFile(stateDirectory);
  return existsSync(file) ? file : undefined;
}
