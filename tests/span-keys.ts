import { everywhere, keys, taxonomy } from '../observability/taxonomy.ts';

/** Keys of attributes that the table of spans in docs/observability.md does not show for theirs. */
export function undocumentedKeys(spans: { name: string; attributes: object }[]): string[] {
  const found = spans.flatMap(({ name, attributes }) => {
    const kind = /^(send|process) /.exec(name)?.[1] ?? (name.startsWith('chat ') ? 'model' : name);
    const row = Object.entries(taxonomy).find(([key, one]) => key === kind || one.name === kind)![1];
    const known = new Set<string>([...everywhere, ...row.attributes].map((key) => keys[key]));
    return Object.keys(attributes).flatMap((key) => (known.has(key) ? [] : [`${row.name}: ${key}`]));
  });
  return [...new Set(found)];
}
