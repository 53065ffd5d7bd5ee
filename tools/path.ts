import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readlink } from 'node:fs/promises';
import { isGitName } from './policy.ts';

/** Why a path cannot be used: `refused` by a rule, `missing`, or `unfit` (of the wrong kind, not readable). */
export interface Obstacle {
  ok: false;
  kind: 'refused' | 'missing' | 'unfit';
  reason: string;
}

/** The real place of a path: an open parent directory and the last name in it, or a directory itself. */
export interface Place {
  /** Real path relative to the workspace, with no link in it; `''` for the workspace itself. */
  realPath: string;
  /** A path by which the kernel finds the entry through the open parent, whatever is renamed meanwhile. */
  handlePath: string;
  /** A path to the open parent directory, to put another entry beside this one. */
  parentPath: string;
  /** What is there now, the last link followed; undefined where nothing is. */
  stats: Stats | undefined;
}

const mostLinks = 40;
const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const handlesHavePaths = process.platform === 'linux';

export const obstacle = (kind: Obstacle['kind'], reason: string): Obstacle => ({ ok: false, kind, reason });

interface OpenDirectory {
  name: string;
  handle: FileHandle;
  path: string;
}

/**
 * Walks `path` (relative to `root`, a real path) name by name through open directories, follows links only
 * while they stay inside, never enters `.git`, and calls `use` with the place while its parent is held open.
 * What is renamed or replaced by a link meanwhile cannot lead the walk out: each name is opened without
 * following links, from a directory that is already open. (Where the system gives open directories no path,
 * as on macOS, that last guarantee is down to the check just before.)
 *
 * @param createParents makes missing directories, after `permit` has agreed to the real path.
 * @param permit says why the real path may not be used, or undefined.
 */
export async function withPlace<T>(
  root: string,
  path: string,
  options: { createParents?: boolean; permit?: (realPath: string) => string | undefined },
  use: (place: Place) => Promise<T | Obstacle>,
): Promise<T | Obstacle> {
  const open = [await openDirectory(root, '')];
  try {
    return await walk(open, root, path, options, use);
  } catch (error) {
    return obstacleFrom(error, path);
  } finally {
    for (const directory of open) await directory.handle.close();
  }
}

async function walk<T>(
  open: OpenDirectory[],
  root: string,
  path: string,
  options: { createParents?: boolean; permit?: (realPath: string) => string | undefined },
  use: (place: Place) => Promise<T | Obstacle>,
): Promise<T | Obstacle> {
  const names = path.split('/');
  const leadsOut = obstacle('refused', `${path} leads out of the workspace through a link.`);
  let links = 0;
  while (names.length > 0) {
    const name = names.shift()!;
    if (name === '' || name === '.') continue;
    const here = open.at(-1)!;
    if (name === '..') {
      if (open.length === 1) return leadsOut;
      await open.pop()!.handle.close();
      continue;
    }
    const realPath = [...open.slice(1).map((directory) => directory.name), name].join('/');
    if (isGitName(name))
      return obstacle('refused', `${path} is inside git's own directory, which no tool may touch.`);
    const handlePath = `${here.path}/${name}`;
    const stats = await lstatIfThere(handlePath);
    if (stats?.isSymbolicLink()) {
      links += 1;
      if (links > mostLinks) return obstacle('unfit', `${path} goes through too many links.`);
      const target = await readlink(handlePath);
      if (target.startsWith('/')) {
        if (target !== root && !target.startsWith(`${root}/`)) return leadsOut;
        for (const directory of open.splice(1)) await directory.handle.close();
        names.unshift(...target.slice(root.length).split('/'));
      } else {
        names.unshift(...target.split('/'));
      }
      continue;
    }
    const rest = names.filter((next) => next !== '' && next !== '.');
    if (rest.length === 0) {
      const reason = options.permit?.(realPath);
      if (reason !== undefined) return obstacle('refused', reason);
      return await use({ realPath, handlePath, parentPath: here.path, stats });
    }
    if (stats === undefined) {
      if (!options.createParents)
        return obstacle('missing', `${path} does not exist: there is no ${realPath}.`);
      if (rest.includes('..')) return obstacle('missing', `${path} goes through a link that leads nowhere.`);
      if (rest.some(isGitName)) return obstacle('refused', `${path} is inside git's own directory.`);
      const reason = options.permit?.([realPath, ...rest].join('/'));
      if (reason !== undefined) return obstacle('refused', reason);
      await mkdir(handlePath);
    } else if (!stats.isDirectory()) {
      return obstacle('unfit', `${realPath} is not a directory, so there is no ${path}.`);
    }
    open.push(await openDirectory(handlePath, name));
  }
  const top = open.at(-1)!;
  const realPath = open
    .slice(1)
    .map((directory) => directory.name)
    .join('/');
  const reason = options.permit?.(realPath);
  if (reason !== undefined) return obstacle('refused', reason);
  return await use({
    realPath,
    handlePath: `${top.path}/.`,
    parentPath: top.path,
    stats: await top.handle.stat(),
  });
}

async function openDirectory(path: string, name: string): Promise<OpenDirectory> {
  const handle = await open(path, directoryFlags);
  return { name, handle, path: handlesHavePaths ? `/proc/self/fd/${handle.fd}` : path };
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export const codeOf = (error: unknown): string | undefined =>
  (error as NodeJS.ErrnoException | undefined)?.code;

const faultsOfThePath: Record<string, string> = {
  ELOOP: 'was replaced by a link while it was being opened',
  ENOTDIR: 'goes through something that is not a directory',
  EISDIR: 'is a directory',
  EINVAL: 'was replaced while it was being opened',
  ENOENT: 'does not exist',
  EACCES: 'may not be opened: its permissions forbid it',
  EPERM: 'may not be opened: its permissions forbid it',
  ENAMETOOLONG: 'is too long a name',
  ENXIO: 'is not a regular file',
  EEXIST: 'was made by something else meanwhile',
  ENOTEMPTY: 'is a directory',
};

/**
 * What a failed file operation means for the model.
 *
 * @throws Error when the fault is the machine's and not the path's: a full or broken disk, no file handles left.
 */
export function obstacleFrom(error: unknown, path: string): Obstacle {
  const code = codeOf(error) ?? '';
  const fault = faultsOfThePath[code];
  if (fault !== undefined) return obstacle(code === 'ENOENT' ? 'missing' : 'unfit', `${path} ${fault}.`);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    throw new Error(
      `The disk that holds the workspaces is full (${path} could not be written). Free some space there.`,
      {
        cause: error,
      },
    );
  }
  throw error;
}
