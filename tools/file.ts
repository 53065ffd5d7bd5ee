import { randomUUID } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { open, readdir, rename, unlink } from 'node:fs/promises';
import { type Obstacle, obstacle, obstacleFrom, type Place, withPlace } from './path.ts';

/** The largest file a tool reads or writes; more than that is no source text. */
const mostFileBytes = 10 * 1024 * 1024;

/** A text file of the workspace. */
export interface TextFile {
  ok: true;
  /** Real path relative to the workspace. */
  realPath: string;
  text: string;
}

/** Reads a UTF-8 text file inside the workspace; a byte order mark stays part of the text. */
export async function readTextFile(root: string, path: string): Promise<TextFile | Obstacle> {
  return await withPlace<TextFile>(root, path, {}, (place) => readPlace(place, path));
}

async function readPlace(place: Place, path: string): Promise<TextFile | Obstacle> {
  if (place.stats === undefined) return obstacle('missing', `${path} does not exist.`);
  if (place.stats.isDirectory()) return obstacle('unfit', `${path} is a directory. Use list-dir.`);
  // Without waiting: a pipe that was put in the file's place would hold the open until someone writes.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  if (!place.stats.isFile()) return obstacle('unfit', `${path} is not a regular file.`);
  const handle = await open(place.handlePath, flags);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) return obstacle('unfit', `${path} is not a regular file.`);
    if (stats.size > mostFileBytes) {
      return obstacle(
        'unfit',
        `${path} has ${stats.size} bytes; files over ${mostFileBytes} bytes are not read.`,
      );
    }
    const bytes = await handle.readFile();
    if (bytes.includes(0)) return obstacle('unfit', `${path} is a binary file (${bytes.length} bytes).`);
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { ok: true, realPath: place.realPath, text };
  } catch (error) {
    if (error instanceof TypeError) return obstacle('unfit', `${path} is not UTF-8 text.`);
    throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Writes a whole text file inside the workspace, all or nothing: into a new file beside it that then takes its
 * name. So a link or a pipe put there meanwhile is replaced, never written through.
 *
 * @param permit says why the real path may not be written, or undefined.
 * @throws Error when the disk is full.
 */
export async function writeTextFile(
  root: string,
  path: string,
  text: string,
  permit: (realPath: string) => string | undefined,
): Promise<{ ok: true; realPath: string; created: boolean } | Obstacle> {
  const bytes = Buffer.from(text);
  if (bytes.length > mostFileBytes) {
    return obstacle(
      'unfit',
      `The text has ${bytes.length} bytes; files over ${mostFileBytes} bytes are not written.`,
    );
  }
  return await withPlace(root, path, { createParents: true, permit }, async (place) => {
    const { stats } = place;
    if (stats?.isDirectory()) return obstacle('unfit', `${path} is a directory.`);
    if (stats !== undefined && !stats.isFile()) return obstacle('refused', `${path} is not a regular file.`);
    if (stats !== undefined && stats.nlink > 1) {
      return obstacle(
        'refused',
        `${path} is a hard link: the same file has another name, maybe outside the workspace.`,
      );
    }
    await replace(place, bytes, stats === undefined ? 0o666 : stats.mode & 0o777, stats !== undefined);
    return { ok: true as const, realPath: place.realPath, created: stats === undefined };
  });
}

async function replace(place: Place, bytes: Uint8Array, mode: number, keepMode: boolean): Promise<void> {
  const temporary = `${place.parentPath}/.switchyard-${randomUUID()}`;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(temporary, flags, mode);
  try {
    await handle.writeFile(bytes);
    // The process's umask applied to the new file; an existing file keeps the mode it had.
    if (keepMode) await handle.chmod(mode);
    await rename(temporary, place.handlePath);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
}

/** Removes a file or link inside the workspace (the link itself, never what it leads to); false if it was not there. */
export async function removeFile(root: string, path: string): Promise<boolean> {
  const cut = path.lastIndexOf('/');
  const removed = await withPlace(root, cut < 0 ? '' : path.slice(0, cut), {}, async (parent) => {
    try {
      await unlink(`${parent.handlePath}/${path.slice(cut + 1)}`);
      return { ok: true as const };
    } catch (error) {
      return obstacleFrom(error, path);
    }
  });
  return removed.ok;
}

/** The entries of a directory inside the workspace, without `.git`, unordered. */
export async function readDirectory(
  root: string,
  path: string,
): Promise<{ ok: true; realPath: string; entries: Dirent[] } | Obstacle> {
  return await withPlace(root, path, {}, async (place) => {
    if (place.stats === undefined) return obstacle('missing', `${path} does not exist.`);
    if (!place.stats.isDirectory()) return obstacle('unfit', `${path} is not a directory. Use read-file.`);
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    const handle = await open(place.handlePath, flags);
    try {
      const directory = process.platform === 'linux' ? `/proc/self/fd/${handle.fd}` : place.handlePath;
      return {
        ok: true as const,
        realPath: place.realPath,
        entries: await readdir(directory, { withFileTypes: true }),
      };
    } finally {
      await handle.close();
    }
  });
}
