import { metrics } from '../schemas/telemetry.ts';
import { everywhere, keys, spanEvents, taxonomy } from './taxonomy.ts';

const code = (text: string) => `\`${text}\``;

/** The tables of docs/observability.md, by the name of the place where they stand in it. */
function telemetryTables(): Record<string, string> {
  const spans = Object.values(taxonomy).map(
    ({ name, kind, what, parent, attributes }) =>
      `| ${code(name)} | ${kind} | ${what} | ${parent} | ${attributes.map((one) => code(keys[one])).join(', ')} |`,
  );
  const rows = Object.entries(metrics).map(
    ([name, { kind, unit, what }]) => `| ${code(name)} | ${kind} | ${code(unit)} | ${what} |`,
  );
  return {
    spans: [
      '| span | kind | what | hangs below | attributes |',
      '| --- | --- | --- | --- | --- |',
      ...spans,
      '',
      `On every span, where they are known: ${everywhere.map((one) => code(keys[one])).join(', ')}.`,
      `Events within spans: ${Object.values(spanEvents).map(code).join(', ')}.`,
    ].join('\n'),
    metrics: ['| metric | kind | unit | what |', '| --- | --- | --- | --- |', ...rows].join('\n'),
  };
}

/** A page with its tables as they are now. Throws an Error where the page has no place for one. */
export function withTables(page: string): string {
  return Object.entries(telemetryTables()).reduce((text, [name, table]) => {
    const [begin, end] = [`<!-- ${name}: generated -->`, `<!-- ${name}: end -->`];
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from < 0 || to < from) throw new Error(`the page has no place for the table of ${name}`);
    return `${text.slice(0, from + begin.length)}\n\n${table}\n\n${text.slice(to)}`;
  }, page);
}
