import { posix } from 'node:path';
import picomatch from 'picomatch';

/** What the files of one kind may import. The first row whose `files` match a file is the one that holds. */
interface Boundary {
  /** Globs of paths from the checkout's root. */
  files: string[];
  /** Globs of our own files; one that begins with `!` takes away again. */
  mayImport: string[];
  /** Globs of npm packages and `node:` modules; absent: any that is not somebody else's alone. */
  packages?: string[];
  /** The rule in words, for whoever breaks it. */
  rule: string;
}

const tests = [
  'tests/**',
  '**/*.test.ts',
  '**/*-for-tests.ts',
  '**/*-fixture.ts',
  // What the manager's tests say in its own words: what was given, and any life of a task.
  'agents/manager/{given,any-life,life,life-inputs}.ts',
];
/** Processes and hands: what they import, pure files may not. */
const impure = [
  '!**/main.ts',
  '!**/act.ts',
  '!inference/backends/**',
  '!inference/backends.ts',
  '!inference/check.ts',
  '!inference/call-service.ts',
  '!observability/observer/**',
  '!observability/debug-export.ts',
];
/** Packages that are functions of their arguments. */
const purePackages = ['typebox', 'typebox/*', 'ajv', 'uuid', 'picomatch', 'fastest-levenshtein'];
const pure = (room: string): Boundary => ({
  files: [`${room}/**`],
  mayImport: [`${room}/**`, 'schemas/**', ...impure],
  packages: purePackages,
  rule: `a pure file imports pure siblings and schemas, and nothing of node: (in ${room}, only main.ts and the files that act may)`,
});
const mainOf = (room: string): Boundary => ({
  files: [`${room}/**/main.ts`],
  mayImport: [`${room}/**`, 'bus/**', 'config/**', 'schemas/**'],
  rule: 'a main.ts wires its own room to bus, config and schemas; agents meet on the bus alone',
});
const ground = (room: string): Boundary => ({
  files: [`${room}/**`],
  mayImport: [`${room}/**`, 'schemas/**'],
  rule: `${room} imports schemas and its own room, nothing else of ours`,
});

export const boundaries: Boundary[] = [
  { files: tests, mayImport: ['**'], rule: 'a test may look at everything' },
  { files: ['vitest.config.ts'], mayImport: ['tests/**'], rule: 'it configures the tests' },
  { files: ['schemas/**'], mayImport: ['schemas/**'], rule: 'schemas import nothing of ours' },
  ground('bus'),
  ground('config'),
  ground('tools'),
  ground('setup'),
  { files: ['docs/**'], mayImport: ['docs/**'], rule: 'a page and its pictures import nothing of ours' },
  mainOf('agents'),
  {
    files: ['agents/**/act.ts'],
    mayImport: ['agents/**', 'tools/**', 'schemas/**'],
    rule: 'what acts for an agent imports tools and schemas, never bus',
  },
  pure('agents'),
  mainOf('router'),
  pure('router'),
  mainOf('inference'),
  {
    files: ['inference/{act,backends,call-service,check}.ts', 'inference/backends/**'],
    mayImport: ['inference/**', 'schemas/**'],
    rule: 'what asks a model imports its own room and schemas, never bus',
  },
  pure('inference'),
  {
    files: ['gpu-worker/**'],
    mayImport: ['gpu-worker/**', 'inference/**', 'bus/**', 'config/**', 'schemas/**', '!**/main.ts'],
    rule: 'a gpu-worker is an inference process of its own kind: it imports inference, bus, config and schemas',
  },
  {
    files: ['observability/dashboard/**'],
    mayImport: ['observability/**', 'schemas/**', '!**/main.ts', '!observability/observer/**'],
    rule: 'the page runs in a browser: it imports its own room, the pure files of observability, and schemas',
  },
  {
    files: ['observability/telemetry.ts'],
    mayImport: ['schemas/**', 'observability/debug-export.ts'],
    rule: 'telemetry is preloaded before everything: it imports schemas only, and what exports when that is asked for',
  },
  {
    files: ['observability/main.ts', 'observability/observer/**'],
    mayImport: [
      'observability/**',
      'schemas/**',
      'bus/{client,observer,observed,record,registry,micro,membership,ask-launcher,log,signature}.ts',
      'config/**',
    ],
    rule: 'observability is a subscriber: it imports schemas, config, and of bus what reads and answers',
  },
  {
    files: ['observability/debug-export.ts'],
    mayImport: ['observability/{otlp-settings,taxonomy}.ts', 'schemas/**'],
    rule: 'what exports logs and metrics imports schemas and the names of telemetry',
  },
  pure('observability'),
  {
    files: ['replay/**'],
    mayImport: ['replay/**', 'agents/**', 'router/**', 'inference/**', 'schemas/**', ...impure],
    packages: purePackages,
    rule: 'replay decides again with the pure files of the rooms',
  },
  {
    files: ['cli/**'],
    mayImport: [
      'cli/**',
      'bus/**',
      'config/**',
      'schemas/**',
      'observability/**',
      'replay/**',
      '*/check.ts',
      'inference/{model-flag,bench}.ts',
      'tools/{branch,carry}.ts',
    ],
    rule: "the command imports bus, config, schemas, observability's pure files, replay, a room's check.ts, inference/model-flag.ts and bench.ts, tools/branch.ts and tools/carry.ts",
  },
];

/** What nobody but a test imports. */
const closed = [
  {
    files: ['observability/dashboard/**'],
    except: ['observability/dashboard/**'],
    rule: 'the page is built and served, nobody imports it',
  },
  { files: ['cli/**'], except: ['cli/**'], rule: 'nobody imports the command' },
  { files: tests, except: ['vitest.config.ts'], rule: 'nobody but a test imports what is made for tests' },
  { files: ['**/main.ts'], except: [], rule: 'a main.ts is a process: start it, do not import it' },
  { files: ['observability/telemetry.ts'], except: [], rule: 'telemetry is preloaded, with --import' },
];

/** Packages that one place alone uses, so that what they stand for is in one place. */
const owned = [
  {
    packages: ['@nats-io/*'],
    users: ['bus/**', '**/main.ts', 'cli/**', 'observability/dashboard/source/live.ts'],
    rule: 'NATS is spoken in bus',
  },
  {
    packages: ['openai', 'openai/**', '@anthropic-ai/**', '@aws-sdk/*'],
    users: ['inference/backends/**'],
    rule: 'providers are asked, and keys held, in inference/backends',
  },
  {
    packages: ['node-llama-cpp', '@huggingface/jinja'],
    users: ['gpu-worker/**'],
    rule: 'llama.cpp is loaded in gpu-worker alone',
  },
  { packages: ['pino', 'pino-pretty'], users: ['bus/log.ts'], rule: 'logging is bus/log.ts' },
  {
    packages: ['@opentelemetry/*'],
    users: ['observability/observer/**', 'observability/debug-export.ts'],
    rule: 'OpenTelemetry is spoken in observability',
  },
  { packages: ['commander'], users: ['cli/**'], rule: 'the command line is read in cli' },
  {
    packages: ['vitest', 'vitest/*', 'fast-check', 'node:test'],
    users: ['vitest.config.ts'],
    rule: 'it is for tests',
  },
];

const matches = (path: string, globs: string[]): boolean => {
  const taken = globs.filter((glob) => glob.startsWith('!')).map((glob) => glob.slice(1));
  const given = globs.filter((glob) => !glob.startsWith('!'));
  return (
    picomatch.isMatch(path, given, { dot: true }) &&
    !(taken.length > 0 && picomatch.isMatch(path, taken, { dot: true }))
  );
};

export interface Import {
  line: number;
  /** As it is written; undefined where it is computed. */
  specifier: string | undefined;
}

const forms = [
  // import ... from '...', export ... from '...', also over several lines; import '...'
  /(?:^|;)[ \t]*(?:import|export)\b[^'"`;=()]*?\bfrom[ \t]*(['"])(?<specifier>[^'"]+)\1/gm,
  /(?:^|;)[ \t]*import[ \t]*(['"])(?<specifier>[^'"]+)\1/gm,
  // import('...') also within a line; new URL('./x.ts', import.meta.url), by which workers are started
  /(?<![\w.'"`$])(?:import|require)\(\s*(['"])(?<specifier>[^'"]+)\1/g,
  /\bnew URL\(\s*(['"])(?<specifier>\.[^'"]*\.m?[jt]s)\1\s*,\s*import\.meta\.url/g,
];
/** An import whose target no reader can see. */
const computed = /(?<![\w.'"`$])(?:import|require)\(\s*(?!\s*['"])/g;

/** All imports of a source text: static, dynamic, re-exports, types and workers. */
export function importsOf(source: string): Import[] {
  // Comments go, lines stay.
  const text = source.replaceAll(/^[ \t]*(?:\/\/|\/?\*).*$/gm, '');
  const lineAt = (index: number) => text.slice(0, index).split('\n').length;
  const found: Import[] = forms.flatMap((form) =>
    [...text.matchAll(form)].map((match) => ({
      line: lineAt(match.index + match[0].length),
      specifier: match.groups!['specifier'],
    })),
  );
  for (const match of text.matchAll(computed))
    found.push({ line: lineAt(match.index), specifier: undefined });
  return found.toSorted((left, right) => left.line - right.line);
}

/** One line for each import of one file that the rules do not allow: where, what, and the rule it breaks. */
export function boundaryProblems(path: string, source: string): string[] {
  const boundary = boundaries.find((one) => matches(path, one.files));
  if (!boundary) return [`${path}: no rule says what this room may import; add a row to tests/boundaries.ts`];
  if (matches(path, tests)) return [];
  return importsOf(source).flatMap(({ line, specifier }) => {
    if (specifier === undefined) return [`${path}:${line} imports what is computed: name the file`];
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined;
    const rule =
      target === undefined ? packageRule(path, specifier, boundary) : fileRule(path, target, boundary);
    return rule === undefined ? [] : [`${path}:${line} imports ${target ?? specifier}: ${rule}`];
  });
}

function fileRule(path: string, target: string, boundary: Boundary): string | undefined {
  const door = closed.find((one) => matches(target, one.files) && !matches(path, one.except));
  if (door) return door.rule;
  return matches(target, boundary.mayImport) ? undefined : boundary.rule;
}

function packageRule(path: string, specifier: string, boundary: Boundary): string | undefined {
  const owner = owned.find((one) => matches(specifier, one.packages) && !matches(path, one.users));
  if (owner) return owner.rule;
  return boundary.packages === undefined || matches(specifier, boundary.packages) ? undefined : boundary.rule;
}
