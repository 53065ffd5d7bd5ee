import { readdirSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectoryOf } from '../bus/cache-directory.ts';

/** A folder to look through, and how deep. */
export interface Place {
  folder: string;
  depth: number;
}

/** Where people and other programs keep GGUF files. */
export function ggufPlaces(
  environment: Record<string, string | undefined>,
  stateDirectory: string,
  currentDirectory: string,
): Place[] {
  const home = environment['HOME'] || homedir();
  const hub = environment['HF_HOME'] || join(home, '.cache', 'huggingface');
  return [
    { folder: currentDirectory, depth: 2 },
    { folder: modelsFolder(environment), depth: 2 },
    { folder: join(stateDirectory, 'models'), depth: 2 },
    { folder: join(home, '.lmstudio', 'models'), depth: 4 },
    { folder: join(home, '.cache', 'lm-studio', 'models'), depth: 4 },
    { folder: join(home, '.cache', 'llama.cpp'), depth: 2 },
    { folder: join(home, 'Library', 'Caches', 'llama.cpp'), depth: 2 },
    { folder: join(hub, 'hub'), depth: 5 },
  ];
}

/** Where `models pull` puts what it fetches. */
export function modelsFolder(environment: Record<string, string | undefined>): string {
  return join(cacheDirectoryOf(environment), 'models');
}

/** A home may hold millions of files: it is looked at, not searched. */
const mostEntries = 20_000;
const mostFiles = 50;

/**
 * The GGUF files in some folders, each once however it is linked, by the name that it has there: of a split one its first
 * part. What cannot be read is passed over; after so many entries it stops.
 */
export function findGguf(places: Place[]): string[] {
  const found = new Map<string, string>();
  let left = mostEntries;
  const look = (folder: string, depth: number): void => {
    for (const entry of entriesOf(folder)) {
      if (left-- <= 0 || found.size >= mostFiles) return;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (depth > 1 && entry.name !== 'node_modules' && entry.name !== '.git') look(path, depth - 1);
      } else if (isModel(entry.name)) {
        const real = realOf(path);
        if (real !== undefined && !found.has(real)) found.set(real, path);
      }
    }
  };
  for (const { folder, depth } of places) look(folder, depth);
  return [...found.values()];
}

function isModel(name: string): boolean {
  if (!/\.gguf$/i.test(name)) return false;
  // What a model sees pictures with is no model by itself; later parts come with the first.
  if (/mmproj/i.test(name)) return false;
  const part = /-(\d{5})-of-\d{5}\.gguf$/i.exec(name)?.[1];
  return part === undefined || Number(part) === 1;
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function realOf(path: string): string | undefined {
  try {
    const real = realpathSync(path);
    return statSync(real).isFile() ? real : undefined;
  } catch {
    return undefined;
  }
}
