import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writePrivateFile } from '../config/private-file.ts';

/** The broker's port, that of the page, and that on which the page's browser reaches the broker. */
type Listener = 'port' | 'page-port' | 'socket-port';

/** The port that the listener of this state folder had last; undefined where it had none. */
export function lastPort(stateDirectory: string, listener: Listener = 'port'): number | undefined {
  try {
    const port = Number(readFileSync(join(stateDirectory, listener), 'utf8'));
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
  } catch {
    return undefined;
  }
}

/** Remembers the port, so that whoever is connected finds the next one of this folder there. */
export function keepPort(stateDirectory: string, port: number, listener: Listener = 'port'): void {
  if (lastPort(stateDirectory, listener) === port) return;
  try {
    writePrivateFile(join(stateDirectory, listener), `${port}\n`);
  } catch {
    // Without it the next one has another port, and that is all.
  }
}
