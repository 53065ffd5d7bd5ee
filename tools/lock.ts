import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Does something while no other process on this machine that uses the same lock file does. The lock is the
 * kernel's, on an empty SQLite file: when its holder dies, however it dies, the lock is free at once, so there
 * are no stale locks to break.
 *
 * @throws Error when the lock is not free within `waitMs`; whatever `act` throws.
 */
export async function withLock<T>(file: string, act: () => Promise<T>, waitMs = 120_000): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const until = performance.now() + waitMs;
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    for (let pauseMs = 5; !begin(database); pauseMs = Math.min(pauseMs * 2, 100)) {
      if (performance.now() > until) {
        throw new Error(
          `The lock ${file} was not free within ${waitMs} ms: another process has held it all the time.`,
        );
      }
      await delay(pauseMs);
    }
    return await act();
  } finally {
    database.close();
  }
}

function begin(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    const busy = 5;
    if ((error as { errcode?: number }).errcode === busy) return false;
    throw error;
  }
}
