import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writePrivateFile } from '../config/private-file.ts';

const portFile = (stateDirectory: string) => join(stateDirectory, 'port');

/** The port that the broker of this state folder had last; undefined where it had none. */
export function lastPort(stateDirectory: string): number | undefined {
  try {
    const port = Number(readFileSync(portFile(stateDirectory), 'utf8'));
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
  } catch {
    return undefined;
  }
}

/** Remembers the port, so that whoever is connected finds the next broker of this folder there. */
export function keepPort(stateDirectory: string, port: number): void {
  if (lastPort(stateDirectory) === port) return;
  try {
    writePrivateFile(portFile(stateDirectory), `${port}\n`);
  } catch {
    // Without it the next broker has another port, and that is all.
  }
}
