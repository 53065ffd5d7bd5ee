import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * The folder that holds what was downloaded once for all meshes of this user:
 * `$XDG_CACHE_HOME/switchyard`, else `~/.cache/switchyard`. It can be deleted at any time.
 */
export function cacheDirectoryOf(environment: Record<string, string | undefined>): string {
  const base = environment['XDG_CACHE_HOME'];
  // The XDG specification says that a relative path is to be ignored.
  return join(base && isAbsolute(base) ? base : join(homedir(), '.cache'), 'switchyard');
}
