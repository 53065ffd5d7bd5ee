import { copyFileSync, readdirSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

/** A log that a process opens is put aside when it is larger than this. */
const mostBytes = 16 * 1024 * 1024;
/** Of each process so many that were put aside stay: `coder-3.log.1` is the youngest. */
const mostAside = 3;

/**
 * Puts aside what is in a log that has grown, also while its process writes on: it appends, so what it writes next stands
 * at the start of the emptied file. Some of one log are kept, the oldest go.
 */
export function putLogAside(file: string, largest = mostBytes): void {
  try {
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) < largest) return;
    for (let number = mostAside - 1; number >= 1; number -= 1) {
      const from = `${file}.${number}`;
      if (statSync(from, { throwIfNoEntry: false })) renameSync(from, `${file}.${number + 1}`);
    }
    copyFileSync(file, `${file}.1`);
    truncateSync(file);
  } catch {
    // Better a long log than none.
  }
}

/** The logs of a mesh's processes, those that were put aside first. */
export function logFilesIn(directory: string): string[] {
  const numberOf = (name: string) => Number(/\.log\.(\d+)$/.exec(name)?.[1] ?? 0);
  try {
    return readdirSync(directory)
      .filter((name) => /\.log(\.\d+)?$/.test(name))
      .toSorted((one, other) => numberOf(other) - numberOf(one) || one.localeCompare(other))
      .map((name) => join(directory, name));
  } catch {
    return [];
  }
}
