import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const ABANDONED_AFTER_MS = 60 * 60 * 1000;
const PREFIX = '.download-';

/**
 * A fresh folder inside the cache, to work in before what was fetched is renamed to its place (a rename is
 * atomic only within one file system). The caller removes it; one left behind by a killed process is
 * removed here after an hour.
 */
export async function makeDownloadFolder(cacheDirectory: string): Promise<string> {
  await mkdir(cacheDirectory, { recursive: true });
  for (const name of await readdir(cacheDirectory)) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(cacheDirectory, name);
    const about = await stat(folder).catch(() => undefined);
    if (about && Date.now() - about.mtimeMs > ABANDONED_AFTER_MS)
      await rm(folder, { recursive: true, force: true });
  }
  return mkdtemp(join(cacheDirectory, PREFIX));
}
