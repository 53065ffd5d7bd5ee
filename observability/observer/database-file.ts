import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { removeDatabaseFile } from '../../config/observer-files.ts';

export interface DatabaseKind {
  /** SQL that is run on each opening. */
  tuning: string;
  /** Another version is begun anew. */
  version: number;
  /** Asked of a database of this version. */
  isOurs(database: DatabaseSync): boolean;
  /** Fills a new one, within a transaction. */
  fill(database: DatabaseSync): void;
}

/** Opens a database in a file of the owner's alone; what cannot be read, is of another version or not ours is begun anew. */
export function openDatabaseFile(
  file: string,
  { tuning, version, isOurs, fill }: DatabaseKind,
): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const open = () => {
    const database = new DatabaseSync(file);
    database.exec(tuning);
    return database;
  };
  try {
    const database = open();
    const found = database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (found.user_version === version && isOurs(database)) return database;
    database.close();
  } catch {
    // Damaged, or no database at all.
  }
  removeDatabaseFile(file);
  const database = open();
  chmodSync(file, 0o600);
  database.exec('BEGIN IMMEDIATE');
  fill(database);
  database.exec(`PRAGMA user_version = ${version}`);
  database.exec('COMMIT');
  return database;
}
