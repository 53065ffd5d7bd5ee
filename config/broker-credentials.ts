import { readFileSync } from 'node:fs';
import type { Config } from './config.ts';
import { ConfigurationError } from './configuration-error.ts';

/**
 * The user for the broker that `mesh.url` names, out of the file that `mesh.credentials` names; undefined where none is
 * named. Throws ConfigurationError when the file does not hold one; what it holds is never shown.
 */
export function brokerCredentials(mesh: Config['mesh']): { user: string; password: string } | undefined {
  const file = mesh.credentials;
  if (file === undefined) return undefined;
  let found: { user?: unknown; password?: unknown } | null;
  try {
    found = JSON.parse(readFileSync(file, 'utf8')) as typeof found;
  } catch (failure) {
    // A parser's message would show a piece of the file.
    const why = failure instanceof SyntaxError ? 'it is not JSON' : (failure as Error).message;
    throw new ConfigurationError([`${file}: ${why}; write {"user": "...", "password": "..."} into it`]);
  }
  const { user, password } = found ?? {};
  if (typeof user === 'string' && user !== '' && typeof password === 'string') return { user, password };
  throw new ConfigurationError([
    `${file}: "user" or "password" is missing; write {"user": "...", "password": "..."} into it`,
  ]);
}
