import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultLimits } from '../schemas/bounds.ts';
import { backendNames } from '../schemas/model-backends.ts';
import { allowInState } from './allowed.ts';
import { ConfigurationError } from './configuration-error.ts';
import { configDigest, findConfigFile, loadConfig } from './load.ts';
import { modelDefinitions } from './model-options.ts';
import { keepOverrides, useModel, type Overrides } from './overrides.ts';

let folder: string;
let stateDirectory: string;
let file: string;
const environment = {};

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-config-')));
  stateDirectory = join(folder, '.switchyard');
  file = join(folder, 'switchyard.yaml');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function load(text?: string | Buffer, overrides?: Overrides) {
  if (text !== undefined) writeFileSync(file, text);
  return loadConfig({ stateDirectory, environment, ...(overrides && { overrides }) });
}

/** What is wrong with a file, its own name left out. */
function problems(text: string | Buffer): string[] {
  try {
    load(text);
  } catch (failure) {
    if (failure instanceof ConfigurationError)
      return failure.problems.map((problem) => problem.replace(`${file}:`, ''));
    throw failure;
  }
  return [];
}

const url = 'url: http://127.0.0.1:1/v1';
const model = `models:\n  fast: { backend: openai, ${url}, model: m }\n`;

test.each([
  ['no file', undefined],
  ['an empty file', ''],
  ['comments only', '# nothing yet\n\n'],
  ['sections whose options are commented out', 'limits:\n  # hops: 3\nmesh:\n'],
  ['a byte order mark and Windows line ends', '\ufefflog:\r\n  level: info\r\n'],
])('configuration: %s means the defaults', (_, text) => {
  const config = load(text);
  expect(config.limits).toEqual(defaultLimits);
  expect(config.mesh).toMatchObject({
    name: 'switchyard',
    namespace: 'yard',
    durability: 'power',
    leaseMs: 6000,
  });
  expect(config.processes).toMatchObject({ manager: 1, coder: 2 });
  expect(config.tools.withoutSandbox).toBe('refuse');
  expect(config.allow).toMatchObject({ repositories: [], setups: [] });
  expect(config.models).toEqual({});
});

test('configuration: what the file does not say keeps its default', () => {
  const config = load('limits:\n  hops: 3\n');
  expect(config.limits).toEqual({ ...defaultLimits, hops: 3 });
});

test.each([
  {
    it: 'an unknown section',
    text: 'limit:\n  hops: 3\n',
    says: '1:1 limit: there is no such option; accepted: mesh, processes, slots, allow, limits, mode, models, roles, routes, tools, log; did you mean "limits"?',
  },
  {
    it: 'an unknown option',
    text: 'limits:\n  hop: 3\n',
    says: '2:3 limits.hop: there is no such option; accepted: hops, cycles, steps, attempts, corrections, budgetMicroDollars, deadlineMs; did you mean "hops"?',
  },
  {
    it: 'a text where a number belongs',
    text: 'limits:\n  cycles: two\n',
    says: '2:3 limits.cycles: found the text "two"; accepted: a whole number from 0 to 20',
  },
  {
    it: 'a number in quotes',
    text: 'limits: {hops: "3"}\n',
    says: '1:10 limits.hops: found the text "3"; accepted: a whole number from 0 to 50',
  },
  {
    it: 'a fraction',
    text: 'processes:\n\n  coder: 1.5\n',
    says: '3:3 processes.coder: found 1.5; accepted: a whole number from 0 to 64',
  },
  {
    it: 'a number out of range',
    text: 'mesh:\n  port: 70000\n',
    says: '2:3 mesh.port: found 70000; accepted: a whole number from 1 to 65535',
  },
  {
    it: 'a value that is not accepted',
    text: 'mesh:\n  durability: powr\n',
    says: '2:3 mesh.durability: found the text "powr"; accepted: power, process; did you mean "power"?',
  },
  {
    it: 'a value in capitals',
    text: 'log:\n  level: DEBUG\n',
    says: '2:3 log.level: found the text "DEBUG"; accepted: trace, debug, info, warn, error, silent; did you mean "debug"?',
  },
  {
    it: 'an option without a value',
    text: 'limits:\n  hops:\n',
    says: '2:3 limits.hops: it has no value; accepted: a whole number from 0 to 50',
  },
  {
    it: 'a namespace that is no subject token',
    text: 'mesh:\n  namespace: My.Yard\n',
    says: '2:3 mesh.namespace: found the text "My.Yard"; accepted: a lower-case letter, then lower-case letters, digits and hyphens; at most 40',
  },
  {
    it: 'a list where a section belongs',
    text: 'limits: [3]\n',
    says: '1:1 limits: found a list; accepted: a section with hops, cycles, steps, attempts, corrections, budgetMicroDollars, deadlineMs',
  },
  {
    it: 'a list at the root',
    text: '- mesh\n',
    says: '1:1 found a list; accepted: a section with mesh, processes, slots, allow, limits, mode, models, roles, routes, tools, log',
  },
  {
    it: 'a text where a list belongs',
    text: 'allow:\n  tests: npm test\n',
    says: '2:3 allow.tests: found the text "npm test"; accepted: a list of texts',
  },
  {
    it: 'a program given as one text',
    text: 'allow:\n  programs:\n    - npm test\n',
    says: '3:7 allow.programs[0]: found the text "npm test"; accepted: a list of texts, at least 1',
  },
  {
    it: 'an empty program',
    text: 'allow:\n  programs: [[]]\n',
    says: '2:14 allow.programs[0]: the list is empty; accepted: a list of texts, at least 1',
  },
  {
    it: 'a model without a backend',
    text: 'models:\n  fast: { model: m }\n',
    says: `2:3 models.fast: "backend" is missing; accepted: ${backendNames.join(', ')}`,
  },
  {
    it: 'an unknown backend',
    text: 'models:\n  fast: { backend: opnai }\n',
    says: `2:11 models.fast.backend: found the text "opnai"; accepted: ${backendNames.join(', ')}; did you mean "openai"?`,
  },
  {
    it: 'a name of a model that cannot be one',
    text: 'models:\n  "my model": { backend: openai }\n',
    says: '2:3 models["my model"]: this is no name for an entry; accepted: letters, digits and . _ : # / @ + -',
  },
  {
    it: 'a key in place of its variable, without showing it',
    text: 'models:\n  fast: { backend: openai, apiKeyVariable: hunter2hunter2 }\n',
    says: '2:28 models.fast.apiKeyVariable: this value (not shown) does not fit; accepted: the NAME of an environment variable such as OPENAI_API_KEY, never the key itself',
  },
  {
    it: 'a password in the address of the broker, without showing it',
    text: 'mesh:\n  url: nats://me:hunter2@host:4222\n',
    says: '2:3 mesh.url: this value (not shown) does not fit; accepted: nats://HOST:PORT (or tls://, ws://, wss://) without a password in it; that belongs in mesh.credentials',
  },
  {
    it: 'a role that asks a model that is not there',
    text: `${model}roles:\n  coder: { models: [fast, fst] }\n`,
    says: '4:27 roles.coder.models[1]: there is no model "fst"; accepted: fast; did you mean "fast"?',
  },
  {
    it: 'a role that asks an inherited name',
    text: 'roles:\n  coder: { models: [constructor] }\n',
    says: '2:21 roles.coder.models[0]: there is no model "constructor"; accepted: none is defined under `models`',
  },
  {
    it: 'a tool that there is not',
    text: 'tools:\n  perRole:\n    coder:\n      tools: [list-dir, reed-file]\n',
    says: '4:25 tools.perRole.coder.tools[1]: found the text "reed-file"; accepted: read-file, list-dir, search-files, edit-file, write-file, run-program, run-tests; did you mean "read-file"?',
  },
  {
    it: 'an unknown role',
    text: 'roles:\n  codr: { models: [] }\n',
    says: '2:3 roles.codr: there is no such option; accepted: planner, coder, tester, reviewer; did you mean "coder"?',
  },
  {
    it: 'a rule without a reason',
    text: `${model}routes:\n  - { name: r, models: [fast] }\n`,
    says: '4:5 routes[0]: "why" is missing; accepted: a text',
  },
  {
    it: 'a rule for a model that is not there',
    text: `${model}routes:\n  - { name: r, models: [slow], why: w }\n`,
    says: '4:25 routes[0].models[0]: there is no model "slow"; accepted: fast',
  },
  {
    it: 'a rule that can never hold',
    text: `${model}routes:\n  - { name: r, when: { tags: [local] }, models: [fast], why: w }\n`,
    says: "4:24 routes[0].when.tags: none of this rule's models bears local, so it never holds; add the tags under `models` or correct them",
  },
  {
    it: 'two rules of one name',
    text: `${model}routes:\n  - { name: r, models: [fast], why: w }\n  - { name: r, models: [fast], why: w }\n`,
    says: '5:7 routes[1].name: the name "r" is taken by an earlier rule; choose another',
  },
  {
    it: 'a confidence above one',
    text: `${model}routes:\n  - { name: r, models: [fast], why: w, confidence: 90 }\n`,
    says: '4:40 routes[0].confidence: found 90; accepted: a number from 0 to 1',
  },
  {
    it: 'a script that is not there',
    text: 'models:\n  demo: { backend: scripted, script: none.json }\n',
    says: '2:30 models.demo.script: there is no file FOLDER/none.json; create it or correct the path',
  },
  {
    it: 'scripted without a script',
    text: 'models:\n  demo: { backend: scripted }\n',
    says: '2:3 models.demo: "script" is missing; accepted: the path of a file of replies',
  },
  {
    it: 'a script for a real model',
    text: `models:\n  fast: { backend: openai, script: a.json, ${url} }\n`,
    says: '2:28 models.fast.script: it is for the backend `scripted` only; leave it out',
  },
  {
    it: 'a reply as long as the context',
    text: `models:\n  fast: { backend: openai, contextTokens: 4096, maxTokens: 4096, ${url} }\n`,
    says: '2:49 models.fast.maxTokens: a reply of 4096 tokens leaves no room in a context of 4096; make it smaller than contextTokens',
  },
  {
    it: 'a port for a server of somebody else',
    text: 'mesh:\n  url: nats://host:4222\n  port: 4333\n',
    says: '3:3 mesh.port: it is for the server that `up` starts, and `mesh.url` names another; leave one of them out',
  },
  {
    it: 'credentials that are not there',
    text: 'mesh: { url: nats://host, credentials: broker.json }\n',
    says: '1:27 mesh.credentials: there is no file FOLDER/broker.json; create it or correct the path',
  },
  {
    it: 'a key twice',
    text: 'limits:\n  hops: 1\n  hops: 2\n',
    says: '3:3 hops: this key is here twice; keep one of them',
  },
  {
    it: 'a tab',
    text: 'limits:\n\thops: 1\n',
    says: '2:1 a tab indents this line; YAML takes spaces only: replace the tab by two spaces',
  },
  {
    it: 'a glob without quotes',
    text: 'tools:\n  protect:\n    - **/*.test.js\n',
    says: "3:7 a text that begins with * must be in quotes: '**/*.test.js'",
  },
  {
    it: 'a second document',
    text: 'log: {}\n---\nlog: {}\n',
    says: '2:1 a second document begins here; a configuration file is one: remove the line `---`',
  },
  {
    it: 'a line that is indented too far',
    text: 'limits:\n  hops: 1\n   cycles: 2\n',
    says: /^2:9 a key within a value: check that this line is indented/,
  },
  {
    it: 'a quote that is not closed',
    text: 'mesh:\n  name: "x\n',
    says: /^3:1 Missing closing "quote; check quotes/,
  },
  {
    it: 'a bracket that is not closed',
    text: 'allow: {tests: [a\n',
    says: /^2:1 Flow sequence .* check quotes, brackets/,
  },
  { it: 'a tag', text: 'mesh:\n  name: !secret x\n', says: /^2:9 a tag .* has no meaning here/ },
  {
    it: 'a character that YAML keeps for itself',
    text: 'mesh:\n  name: @x\n',
    says: /^2:9 Plain value .* in quotes$/,
  },
  {
    it: 'aliases that would fill the memory',
    text: bomb(),
    says: /^1:1 Excessive alias count .* write the values out$/,
  },
  {
    it: 'a file that is not UTF-8',
    text: Buffer.from([0x6c, 0xff, 0xfe]),
    says: / it is not UTF-8; save it as UTF-8$/,
  },
])('configuration: $it is named with its place, what is accepted and the mend', ({ text, says }) => {
  const found = problems(text).map((problem) => problem.replaceAll(folder, 'FOLDER'));
  expect(found[0]).toEqual(typeof says === 'string' ? says : expect.stringMatching(says));
});

function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 8; level++)
    lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`);
  return lines.join('\n');
}

test('configuration: everything that is wrong is said at once, in the order of nothing but the file', () => {
  const found = problems('mesh:\n  durability: no\nlimits:\n  hops: -1\n  cicles: 2\nlog: { level: loud }\n');
  expect(found.map((problem) => problem.split(' ').slice(0, 2).join(' ')).sort()).toEqual([
    '2:3 mesh.durability:',
    '4:3 limits.hops:',
    '5:3 limits.cicles:',
    '6:8 log.level:',
  ]);
});

test('configuration: a mistake behind an anchor is named where it is', () => {
  const text = 'roles:\n  coder: &same { models: [nope] }\n  tester: *same\n';
  expect(problems(text).map((problem) => problem.split(' ')[0])).toEqual(['2:27', '2:27']);
});

test('configuration: a token that the YAML parser stumbles over is not shown', () => {
  const found = problems('- a\nsk-abcdefghijklmnopqrstuvwx: 1\n').join('\n');
  expect(found).not.toContain('abcdefgh');
});

test('configuration: a file that was named must be there', () => {
  const request = { file: join(folder, 'other.yaml'), stateDirectory, environment };
  expect(() => loadConfig(request)).toThrow(/other.yaml: there is no such file; create one with/);
  expect(() => loadConfig({ ...request, file: folder })).toThrow(/this is no file/);
});

test('configuration: the error carries exit code 2 and each problem', () => {
  writeFileSync(file, 'a: 1\nb: 2\n');
  try {
    load();
    expect.unreachable();
  } catch (failure) {
    expect(failure).toBeInstanceOf(ConfigurationError);
    expect(failure).toMatchObject({ exitCode: 2, problems: [expect.any(String), expect.any(String)] });
  }
});

test('configuration file: --config, then the variable, then the one beside the state folder', () => {
  writeFileSync(file, '');
  const other = join(folder, 'other.yaml');
  expect(findConfigFile({ stateDirectory, environment })).toBe(file);
  expect(findConfigFile({ stateDirectory, environment: { SWITCHYARD_CONFIG: other } })).toBe(other);
  expect(
    findConfigFile({ file: 'x.yaml', stateDirectory, environment: { SWITCHYARD_CONFIG: other } }),
  ).toMatch(/\/x\.yaml$/);
});

test('configuration: paths are relative to the file, and a link is followed to what it names', () => {
  mkdirSync(join(folder, 'src'));
  symlinkSync(join(folder, 'src'), join(folder, 'link'));
  writeFileSync(join(folder, 'demo.json'), '{}');
  const config = load(
    'allow:\n  repositories: [link, gone, ~/gone]\nmodels:\n  demo: { backend: scripted, script: ./demo.json }\n',
  );
  expect(config.allow.repositories).toEqual([
    join(folder, 'src'),
    join(folder, 'gone'),
    join(homedir(), 'gone'),
  ]);
  expect(config.models['demo']?.script).toBe(join(folder, 'demo.json'));
});

test('configuration: credentials that others may read are refused', () => {
  const credentials = join(folder, 'broker.json');
  writeFileSync(credentials, '{}');
  chmodSync(credentials, 0o644);
  const text = 'mesh: { url: nats://host, credentials: broker.json }\n';
  expect(problems(text)).toEqual([
    expect.stringContaining(`others may read ${credentials}; mend: chmod 600`),
  ]);
  chmodSync(credentials, 0o600);
  expect(problems(text)).toEqual([]);
});

test('models: an entry has its name, its defaults, and its own name as the model', () => {
  const config = load(`models:\n  big: { backend: openai, ${url} }\n`);
  expect(modelDefinitions(config.models)).toEqual([
    {
      name: 'big',
      model: 'big',
      backend: 'openai',
      url: 'http://127.0.0.1:1/v1',
      pool: 'default',
      contextTokens: 32_768,
      maxTokens: 4096,
      timeoutMs: 300_000,
      tags: [],
    },
  ]);
});

test('models: the longest reply is a quarter of a small context, unless its entry says another', () => {
  const repliesOf = (options: string) =>
    load(`models:\n  one: { backend: openai, ${url}, ${options} }\n`).models['one']!.maxTokens;
  expect(repliesOf('contextTokens: 4096')).toBe(1024);
  expect(repliesOf('contextTokens: 200000')).toBe(4096);
  expect(repliesOf('contextTokens: 4096, maxTokens: 4000')).toBe(4000);
  expect(problems(`models:\n  one: { backend: openai, ${url}, contextTokens: few }\n`)).toEqual([
    expect.stringContaining('models.one.contextTokens: found the text "few"; accepted: a whole number'),
  ]);
});

test('roles: who names no model asks all real ones in their order, and a scripted one only by name', () => {
  writeFileSync(join(folder, 'demo.json'), '{}');
  const config = load(
    `models:\n  demo: { backend: scripted, script: demo.json }\n  b: { backend: openai, ${url} }\n  a: { backend: openai, ${url} }\n` +
      'roles:\n  tester: { models: [demo] }\n  coder: { temperature: 0.1 }\n',
  );
  expect(config.roles.coder).toEqual({ models: ['b', 'a'], temperature: 0.1 });
  expect(config.roles.tester.models).toEqual(['demo']);
});

test('allowances: what is allowed at run time is added to what the file allows', () => {
  allowInState(stateDirectory, { repository: folder, test: 'make check', setup: 'npm ci' });
  const config = load('allow:\n  repositories: [/srv]\n  tests: [npm test]\n');
  expect(config.allow).toMatchObject({
    repositories: ['/srv', folder],
    tests: ['npm test', 'make check'],
    setups: ['npm ci'],
  });
});

test('overrides: a model from the command line goes before roles and routes of the file', () => {
  const text = `${model}roles:\n  coder: { models: [fast], temperature: 0.3 }\nroutes:\n  - { name: r, models: [fast], why: w }\n`;
  const given = useModel({
    name: 'ollama:q',
    backend: 'openai',
    pool: 'ollama',
    url: 'http://127.0.0.1:1/v1',
    model: 'q',
    contextTokens: 8192,
    maxTokens: 1024,
    tags: [],
    timeoutMs: 1000,
  });
  const config = load(text, given);
  expect(config.routes).toEqual([]);
  expect(config.roles.coder).toEqual({ models: ['ollama:q'], temperature: 0.3 });
  expect(config.roles.reviewer.models).toEqual(['ollama:q']);
  expect(Object.keys(config.models)).toEqual(['fast', 'ollama:q']);
});

test('overrides: what up was started with holds for every process of the mesh, until up says otherwise', () => {
  keepOverrides(stateDirectory, { processes: { coder: 7 } });
  expect(load('processes: { coder: 3 }\n').processes.coder).toBe(7);
  keepOverrides(stateDirectory, {});
  expect(load().processes.coder).toBe(3);
});

test('overrides: of the file only the mesh, its logging and what is allowed hold where no more shall', () => {
  const text = `${model}mesh: { namespace: other }\nlog: { level: warn }\nlimits: { steps: 3 }\nmode: local-only
allow: { repositories: [/srv], tests: [make check] }\nprocesses: { coder: 0 }
tools: { timeoutMs: 1000, perRole: { coder: { tools: [read-file] } } }\n`;
  const config = load(text.replace('model: m', 'model: m, tags: [x]'), { onlyMesh: true });
  expect(config).toMatchObject({
    mesh: { namespace: 'other' },
    log: { level: 'warn' },
    allow: { repositories: ['/srv'], tests: ['make check'] },
    limits: defaultLimits,
    mode: 'local+api',
    processes: { coder: 2 },
    tools: { timeoutMs: 120_000 },
  });
  expect(config.models).toEqual({});
  expect(config.tools.perRole).toBeUndefined();
});

test('overrides: a mistake on the command line is named as such', () => {
  expect(() => load('', { roles: { coder: ['gone'] } })).toThrow(
    /^command line roles\.coder\.models\[0\]: there is no model "gone"/,
  );
  expect(() => load('', { models: { x: { backend: 'opnai' as never } } })).toThrow(/did you mean "openai"/);
});

test('environment: SWITCHYARD_LOG_LEVEL goes before the file, and a wrong one is refused', () => {
  writeFileSync(file, 'log: { level: error }\n');
  const at = (level: string) => loadConfig({ stateDirectory, environment: { SWITCHYARD_LOG_LEVEL: level } });
  expect(at('debug').log.level).toBe('debug');
  expect(at('').log.level).toBe('error');
  expect(() => at('debgu')).toThrow(
    /SWITCHYARD_LOG_LEVEL: found the text "debgu"; accepted: .*; did you mean "debug"/,
  );
});

test.each([
  ['OBS_MODE', 'DEBUG', 'shipping, debug; did you mean "debug"?'],
  ['OBS_MODE', 'debgu', 'shipping, debug; did you mean "debug"?'],
  ['OTEL_TRACES_EXPORTER', 'otpl', 'otlp, file, none; did you mean "otlp"?'],
  ['OTEL_METRICS_EXPORTER', 'file', 'otlp, none'],
  ['OTEL_LOGS_EXPORTER', 'nonee', 'otlp, none; did you mean "none"?'],
  ['OTEL_EXPORTER_OTLP_PROTOCOL', 'http/json', 'http/protobuf, grpc'],
  ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'gprc', 'http/protobuf, grpc; did you mean "grpc"?'],
  ['OTEL_EXPORTER_OTLP_METRICS_PROTOCOL', 'GRPC', 'http/protobuf, grpc; did you mean "grpc"?'],
  ['OTEL_EXPORTER_OTLP_LOGS_PROTOCOL', 'http', 'http/protobuf, grpc'],
])('environment: %s=%s is refused, not passed over', (name, value, accepted) => {
  writeFileSync(file, '');
  const at = () => loadConfig({ stateDirectory, environment: { [name]: value } });
  expect(at).toThrow(ConfigurationError);
  expect(at).toThrow(`${name}: found the text "${value}"; accepted: ${accepted}`);
});

test('environment: what is accepted may stand in a list, and an empty value is none', () => {
  writeFileSync(file, '');
  const at = (environment: Record<string, string>) => () => loadConfig({ stateDirectory, environment });
  expect(at({ OTEL_TRACES_EXPORTER: 'otlp, file', OBS_MODE: '' })).not.toThrow();
  expect(at({ OTEL_TRACES_EXPORTER: 'otlp,fiel', OBS_MODE: 'Debug' })).toThrow(/OBS_MODE[^]*"fiel"/);
});

test('digest: the same options give the same digest in any order, others another', () => {
  const one = configDigest(load('limits: { hops: 1, cycles: 1 }\nlog: { level: warn }\n'));
  const same = configDigest(load('log: { level: warn }\nlimits: { cycles: 1, hops: 1 }\n'));
  const other = configDigest(load('limits: { hops: 2, cycles: 1 }\nlog: { level: warn }\n'));
  expect(one).toMatch(/^[0-9a-f]{12}$/);
  expect(same).toBe(one);
  expect(other).not.toBe(one);
});

test('configuration: one load leaves nothing behind for the next', () => {
  const first = load('');
  first.allow.tests.push('rm -rf');
  first.roles.coder.models.push('x');
  expect(load('').allow.tests).not.toContain('rm -rf');
  expect(load('').roles.coder.models).toEqual([]);
});
