import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asyncApi } from './async-api.ts';
import { catalogue } from './catalogue.ts';
import { incompatibilities } from './compatibility.ts';
import { eventsPage } from './events-page.ts';
import { envelopeFile, envelopeSchema, rowSchema, schemaFile, type JsonSchema } from './json-schema.ts';
import { queryFiles } from './queries-page.ts';
import type { Row } from './row.ts';

const publishedFolder = 'schemas/published';
const asyncApiFile = 'asyncapi.json';

const asText = (schema: JsonSchema) => `${JSON.stringify(schema, null, 2)}\n`;

/** The schemas by file name, as the rows say today. */
function schemasOf(rows: readonly Row[]): Map<string, JsonSchema> {
  return new Map([
    [envelopeFile, envelopeSchema()],
    ...rows.map((row) => [schemaFile(row), rowSchema(row)] as const),
  ]);
}

/** Everything that is generated out of the rows: path below the repository's root, and text. `version` is the package's. */
export function generatedFiles(rows: readonly Row[], version: string): Map<string, string> {
  return new Map([
    ...[...schemasOf(rows)].map(([file, schema]) => [`${publishedFolder}/${file}`, asText(schema)] as const),
    [`${publishedFolder}/${asyncApiFile}`, asText(asyncApi(rows, 'yard', version))],
    ['docs/events.md', eventsPage(rows)],
    ...queryFiles(),
  ]);
}

/** The schemas that are published, by file name; none before the first time. */
export async function publishedSchemas(root: string): Promise<Map<string, JsonSchema>> {
  const folder = join(root, publishedFolder);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const published = new Map<string, JsonSchema>();
  for (const name of names.filter((one) => one.endsWith('.json') && one !== asyncApiFile).toSorted()) {
    published.set(name, JSON.parse(await readFile(join(folder, name), 'utf8')) as JsonSchema);
  }
  return published;
}

const typeOfFile = (file: string) => file.replace(/\.v\d+\.json$/, '');

/** True for a published schema that no row stands behind any more: neither this version nor a later one. */
function isGone(file: string, rows: readonly Row[]): boolean {
  return file !== envelopeFile && !rows.some((row) => row.type === typeOfFile(file));
}

/** Why the rows may not be published over what is published, with the mend; empty = they may. */
export function publishingProblems(
  published: ReadonlyMap<string, JsonSchema>,
  rows: readonly Row[],
): string[] {
  const problems: string[] = [];
  const next = schemasOf(rows);
  for (const [file, schema] of published) {
    const now = next.get(file);
    if (now) problems.push(...incompatibilities(schema, now).map((one) => `${file}: ${one}`));
    else if (isGone(file, rows)) problems.push(`${file}: the contract no longer has ${typeOfFile(file)}`);
  }
  return problems;
}

/** Writes what the rows say below `root`. An incompatible change writes nothing, unless `republish`. */
export async function generate(
  root: string,
  rows: readonly Row[],
  options: { version: string; republish: boolean },
): Promise<{ written: string[]; problems: string[] }> {
  const published = await publishedSchemas(root);
  const problems = publishingProblems(published, rows);
  if (problems.length > 0 && !options.republish) return { written: [], problems };
  const written: string[] = [];
  for (const [path, text] of generatedFiles(rows, options.version)) {
    const target = join(root, path);
    if ((await readFile(target, 'utf8').catch(() => undefined)) === text) continue;
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
    written.push(path);
  }
  for (const file of [...published.keys()].filter((one) => isGone(one, rows))) {
    await rm(join(root, publishedFolder, file));
    written.push(`${publishedFolder}/${file}`);
  }
  return { written, problems: [] };
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const unknown = process.argv.slice(2).filter((one) => one !== '--republish');
  if (unknown.length > 0) {
    console.error(`unknown option ${unknown.join(' ')}; usage: npm run generate [-- --republish]`);
    process.exit(2);
  }
  const republish = process.argv.includes('--republish');
  const { written, problems } = await generate(root, catalogue, { version, republish });
  if (problems.length > 0) {
    console.error(
      `These changes would break who reads or writes what is published; nothing was written:\n` +
        `${problems.map((one) => `  ${one}`).join('\n')}\n` +
        `Raise the row's version, and keep the old one while it is still read. Only before a release, when nobody\n` +
        `relies on it yet: npm run generate -- --republish`,
    );
    process.exit(1);
  }
  console.log(written.length === 0 ? 'everything is up to date' : `wrote ${written.join(', ')}`);
}
