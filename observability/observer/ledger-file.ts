import type { DatabaseSync } from 'node:sqlite';
import { keysDigest, type Checked, type Ledger } from '../../bus/ledger.ts';
import type { Log } from '../../bus/log.ts';
import type { PublicKeys } from '../../bus/signature.ts';
import { removeDatabaseFile } from '../../config/observer-files.ts';
import { openDatabaseFile } from './database-file.ts';

/** Raised with every change of what an entry's digest covers or of how it is checked: nothing in another version counts. */
const ledgerVersion = 1;
/** Entries that are written together; so many are checked once more after a crash. */
const mostUnwritten = 500;

const tables = `
  CREATE TABLE keys (digest TEXT NOT NULL) STRICT;
  CREATE TABLE checked (sequence INTEGER PRIMARY KEY, digest BLOB NOT NULL) STRICT;
`;

/**
 * The ledger in a file beside the read model, which outlives that. It is bound to the keys: with others it begins empty.
 * A file that fails is removed and costs time, nothing else: until the next opening everything is checked.
 */
export function openLedger(
  file: string,
  publicKeys: PublicKeys,
  log: Pick<Log, 'warn'>,
): Ledger & { close(): void } {
  let database: DatabaseSync | undefined;
  let unwritten: Checked[] = [];

  function attempt<Result>(work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      log.warn({ error }, 'the ledger of what was checked fails; everything is checked');
      abandon();
      return undefined;
    }
  }

  function abandon(): void {
    const failed = database;
    database = undefined;
    try {
      failed?.close();
      removeDatabaseFile(file);
    } catch {
      // On a disk that takes nothing the next opening finds what is left.
    }
  }

  const statements = attempt(() => {
    database = openFile(file, keysDigest(publicKeys));
    return {
      find: database.prepare('SELECT sequence, digest FROM checked WHERE sequence BETWEEN ? AND ? LIMIT ?'),
      put: database.prepare('INSERT OR REPLACE INTO checked VALUES (?, ?)'),
    };
  });

  function write(): void {
    const rows = unwritten;
    unwritten = [];
    if (!database || rows.length === 0) return;
    attempt(() => {
      database!.exec('BEGIN IMMEDIATE');
      for (const { sequence, digest } of rows) statements!.put.run(sequence, digest);
      database!.exec('COMMIT');
    });
  }

  return {
    at(places) {
      const [first, last] = [places[0], places.at(-1)];
      if (!database || first === undefined) return new Map();
      // Where the record has a gap, rows of what stood there may take the place of others: those are checked.
      const rows = attempt(() => statements!.find.all(first, last!, places.length)) ?? [];
      return new Map(rows.map((row) => [row['sequence'] as number, row['digest'] as Uint8Array]));
    },
    note(checked) {
      unwritten.push(...checked);
      if (unwritten.length >= mostUnwritten) write();
    },
    close() {
      write();
      database?.close();
      database = undefined;
    },
  };
}

function openFile(file: string, keys: string): DatabaseSync {
  return openDatabaseFile(file, {
    tuning: 'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL',
    version: ledgerVersion,
    isOurs: (database) => database.prepare('SELECT 1 FROM keys WHERE digest = ?').get(keys) !== undefined,
    fill(database) {
      database.exec(tables);
      database.prepare('INSERT INTO keys VALUES (?)').run(keys);
    },
  });
}
