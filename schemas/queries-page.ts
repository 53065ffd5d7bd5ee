import { propertiesTable } from './events-page.ts';
import type { JsonSchema } from './json-schema.ts';
import { queries } from './query.ts';

const folder = 'schemas/published/queries';

type AnyQuery = (typeof queries)[number];

const plain = (schema: object) => JSON.parse(JSON.stringify(schema)) as JsonSchema;

/** The JSON Schemas of a question and of its answer, as one document. */
function schemasOf({ name, summary, request, reply }: AnyQuery): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:switchyard:schema:query:${name}`,
    title: `query.${name}`,
    description: summary,
    $defs: { request: plain(request), reply: plain(reply) },
  };
}

function section(query: AnyQuery): string[] {
  const { name, summary, request, reply, example } = query;
  const asked = Object.keys((plain(request)['properties'] as object | undefined) ?? {});
  return [
    `## ${name}`,
    '',
    summary,
    '',
    '```sh',
    `nats --context switchyard req yard.query.${name} '${JSON.stringify(example)}'`,
    '```',
    '',
    ...(asked.length === 0 ? ['It is asked with `{}`.'] : propertiesTable('request', request)),
    '',
    ...propertiesTable('reply', reply),
    '',
    `Schemas: [${name}.json](../${folder}/${name}.json)`,
    '',
  ];
}

/** The page of all questions, in Markdown. */
function queriesPage(): string {
  return `${[
    '# Questions',
    '',
    '<!-- Generated out of schemas/query.ts by `npm run generate`. Do not edit. -->',
    '',
    'The observer of a mesh reads the record and answers questions about it, as a NATS service:',
    '`nats --context switchyard micro ls` lists it, and `nats req` asks it. `./switchyard up` starts it and writes the',
    'context that the `nats` program needs; its last lines name it, should another mesh have this name already. Subjects',
    'begin with the namespace, `yard` unless it is configured otherwise. Nothing that is asked changes anything.',
    '',
    'What cannot be answered is answered with the headers `Nats-Service-Error-Code` and `Nats-Service-Error`, and with',
    '`{"errors": [...]}`, everything that is wrong with the request.',
    '',
    '**Following what happens.** A message on `yard.event.>` is a hint, not yet a fact: the stream may refuse it (a lost',
    'race), and it says nothing of its place in the record. Whoever shows events hears it and then asks',
    '`yard.query.events` for what came after the last place that it knows. So nothing is shown twice and nothing is',
    'missing, whatever happened to the connection meanwhile. Where `record` is another than before, the read model was',
    'built anew: forget what is known and ask from 0 on.',
    '',
    '`./switchyard rebuild` builds the read model anew. It can be deleted at any time: the record is what counts.',
    '',
    ...queries.flatMap(section),
  ]
    .join('\n')
    .trimEnd()}\n`;
}

/** Everything that is generated out of the questions: path below the repository's root, and text. */
export function queryFiles(): Map<string, string> {
  return new Map([
    ...queries.map(
      (query) => [`${folder}/${query.name}.json`, `${JSON.stringify(schemasOf(query), null, 2)}\n`] as const,
    ),
    ['docs/queries.md', queriesPage()],
  ]);
}
