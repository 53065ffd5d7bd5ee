import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beginning, type Place, type RecordEntry } from '../../bus/record.ts';
import { removeReadModel } from '../../config/read-model-file.ts';
import { openProjection } from './projection.ts';
import { modelTables, modelVersion } from './model-tables.ts';

export interface Progress extends Place {
  /** Names this building of the read model. */
  record: string;
  events: number;
  notBelieved: number;
}

/** What is known of the record, in a file. It may be deleted at any time: it is built anew from the record. */
export interface ReadModel {
  database: DatabaseSync;
  progress(): Progress;
  /** Takes what comes next in the record: all of it and the new place, or nothing. */
  take(entries: readonly RecordEntry[]): void;
  /** Forgets everything, under a new name. */
  beginAnew(): void;
  close(): void;
}

/** Opens the read model in a file of the owner's alone; what cannot be read, or is of another version, is begun anew. */
export function openReadModel(file: string, namespace: string): ReadModel {
  let database = openFile(file, namespace);
  let statements = prepare(database);
  let projection = openProjection(database);

  function begin(): void {
    database.close();
    removeReadModel(file);
    database = openFile(file, namespace);
    statements = prepare(database);
    projection = openProjection(database);
  }

  const progress = () => statements.progress.get() as unknown as Progress;
  return {
    get database() {
      return database;
    },
    progress,
    take(entries) {
      const last = entries.at(-1);
      if (!last) return;
      database.exec('BEGIN IMMEDIATE');
      try {
        const { taken, passedOver } = projection.take(entries);
        statements.advance.run(last.sequence, last.mark, taken, passedOver);
        database.exec('COMMIT');
      } catch (error) {
        // What was folded in memory is of a transaction that never was.
        projection = openProjection(database);
        if (database.isTransaction) database.exec('ROLLBACK');
        throw error;
      }
    },
    beginAnew: begin,
    close: () => database.close(),
  };
}

function prepare(database: DatabaseSync) {
  return {
    progress: database.prepare(
      'SELECT record, sequence, mark, events, not_believed AS notBelieved FROM progress',
    ),
    advance: database.prepare(
      'UPDATE progress SET sequence = ?, mark = ?, events = events + ?, not_believed = not_believed + ?',
    ),
  };
}

/**
 * A power cut may take the last transactions, each whole; they are read again. Pages hold several events, and what many
 * transactions change goes to the file once.
 */
const tuning = `
  PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 2000;
  PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY`;

function openFile(file: string, namespace: string): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    const database = openTuned(file);
    const { user_version: version } = database.prepare('PRAGMA user_version').get()!;
    const isOurs = () => database.prepare('SELECT 1 FROM progress WHERE namespace = ?').get(namespace);
    if (version === modelVersion && isOurs()) return database;
    database.close();
  } catch {
    // Damaged, or no database at all.
  }
  removeReadModel(file);
  const database = openTuned(file);
  chmodSync(file, 0o600);
  database.exec('BEGIN IMMEDIATE');
  database.exec(modelTables);
  database
    .prepare('INSERT INTO progress VALUES (1, ?, ?, ?, ?, 0, 0)')
    .run(randomUUID(), namespace, beginning.sequence, beginning.mark);
  database.exec(`PRAGMA user_version = ${modelVersion}`);
  database.exec('COMMIT');
  return database;
}

function openTuned(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  database.exec(tuning);
  return database;
}
