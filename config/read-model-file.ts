import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { observerDirectory } from './state.ts';

/** The file that the observer keeps what it knows of the record in. */
export const readModelFile = (stateDirectory: string) =>
  join(observerDirectory(stateDirectory), 'record.sqlite');

/** Takes it away, with what SQLite keeps beside it; whoever opens it next builds it anew. Nobody may have it open. */
export function removeReadModel(file: string): void {
  for (const one of [file, `${file}-wal`, `${file}-shm`]) rmSync(one, { force: true });
}
