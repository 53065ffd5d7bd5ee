import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from './path.ts';

/**
 * Removes a directory with all that is in it, also where a program took the permissions from directories below.
 * Links are removed, never followed. What is not there is no error.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (codeOf(error) !== 'EACCES' && codeOf(error) !== 'EPERM') throw error;
    await openDirectories(path);
    await rm(path, { recursive: true, force: true });
  }
}

async function openDirectories(directory: string): Promise<void> {
  try {
    await chmod(directory, 0o700);
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) await openDirectories(join(directory, entry.name));
    }
  } catch (error) {
    // The removal that failed may still be at work on what it could remove.
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
