import { readFileSync, statSync } from 'node:fs';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type YAMLError,
} from 'yaml';
import { ConfigurationError } from './configuration-error.ts';

/** Keys and list places from the root down, such as `['routes', 0, 'when']`. */
export type Path = (string | number)[];

/** What a YAML file says, and where it says it. */
export interface YamlFile {
  file: string;
  /** Plain data; undefined for a file without content. */
  data: unknown;
  /** `file:line:column` of the key at a path, or of the nearest place above that is in the file. */
  place(path: Path): string;
}

const largestBytes = 1_000_000;

/** Reads a YAML file. Throws ConfigurationError with everything that is wrong with it as YAML, each with its place. */
export function readYamlFile(file: string): YamlFile {
  return parseYaml(file, readText(file));
}

/** Reads YAML that is already here; `file` is only what messages call it. Throws like `readYamlFile`. */
function parseYaml(file: string, text: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const problems = [...document.errors, ...document.warnings].map(
    (error) => `${at(error.pos[0])} ${explain(error, text)}`,
  );
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { file, data: plain(document, at), place: (path) => at(offsetOf(document, path)) };
}

function readText(file: string): string {
  try {
    const status = statSync(file);
    if (!status.isFile()) throw new ConfigurationError([`${file}: this is no file; name a YAML file`]);
    if (status.size > largestBytes)
      throw new ConfigurationError([`${file}: ${status.size} bytes is too large; at most ${largestBytes}`]);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (failure) {
    if (failure instanceof ConfigurationError) throw failure;
    throw new ConfigurationError([`${file}: ${whyUnreadable(failure)}`]);
  }
}

function whyUnreadable(failure: unknown): string {
  switch ((failure as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'there is no such file; create one with `./switchyard config init` or name another with --config FILE';
    case 'EACCES':
      return 'it may not be read; give your user the right to read it';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'it is not UTF-8; save it as UTF-8';
    default:
      return failure instanceof Error ? failure.message : String(failure);
  }
}

/** The parser's errors in the words of someone who edits a configuration file. */
function explain(error: YAMLError, text: string): string {
  switch (error.code) {
    case 'DUPLICATE_KEY': {
      const key = /^[^\s:,}\]]+/.exec(text.slice(error.pos[0]))?.[0] ?? 'this key';
      return `${key}: this key is here twice; keep one of them`;
    }
    case 'TAB_AS_INDENT':
      return 'a tab indents this line; YAML takes spaces only: replace the tab by two spaces';
    case 'MULTIPLE_DOCS':
      return 'a second document begins here; a configuration file is one: remove the line `---`';
    case 'TAG_RESOLVE_FAILED':
      return `a tag (\`!...\`) has no meaning here; if it is text, put it in quotes (${error.message})`;
    case 'BAD_SCALAR_START':
      return `${error.message}; put the text in quotes`;
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'a key within a value: check that this line is indented like its neighbours, and put text that holds ": " in quotes';
    default:
      return `${error.message}; check quotes, brackets and the indentation here`;
  }
}

function plain(document: Document, at: (offset: number) => string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) ?? undefined;
  } catch (failure) {
    // A glob such as **/*.test.js without quotes is YAML's alias; the parser's message does not say so.
    const alias = /Unresolved alias[^:]*: (.*)$/s.exec((failure as Error).message)?.[1];
    if (alias === undefined)
      throw new ConfigurationError([`${at(0)} ${(failure as Error).message}; write the values out`]);
    const node = findAlias(document.contents, alias);
    throw new ConfigurationError([
      `${at(node?.range?.[0] ?? 0)} a text that begins with * must be in quotes: '*${alias}'`,
    ]);
  }
}

function findAlias(node: unknown, source: string): Node | undefined {
  if (isAlias(node)) return node.source === source ? node : undefined;
  if (isSeq(node)) return first(node.items, (item) => findAlias(item, source));
  if (isMap(node))
    return first(node.items, (pair) => findAlias(pair.key, source) ?? findAlias(pair.value, source));
  return undefined;
}

function first<Item>(items: Item[], find: (item: Item) => Node | undefined): Node | undefined {
  for (const item of items) {
    const found = find(item);
    if (found) return found;
  }
  return undefined;
}

function offsetOf(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => String(isScalar(item.key) ? item.key.value : item.key) === String(step),
      );
      if (!pair) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (node === undefined) return offset;
      offset = (node as Node).range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}
