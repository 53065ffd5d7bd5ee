import { DatabaseSync } from 'node:sqlite';

/** Everything in a read model but its own name, as one text for each table: two that know the same are equal. */
export function dumpReadModel(file: string): Record<string, string> {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const tables = database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .all() as { name: string }[];
    return Object.fromEntries(
      tables.map(({ name }) => {
        const rows = database.prepare(`SELECT * FROM ${name}`).all();
        const lines = rows.map((row) => {
          const { record: _, ...rest } = row as Record<string, unknown>;
          return JSON.stringify(rest, (_key, value: unknown) =>
            value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
          );
        });
        return [name, lines.toSorted().join('\n')];
      }),
    );
  } finally {
    database.close();
  }
}
