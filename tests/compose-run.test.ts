import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { cacheDirectoryOf } from '../bus/cache-directory.ts';
import { serverBinary } from '../bus/server-fixture.ts';
import type { Config } from '../config/config.ts';
import { agentRoles, roles } from '../schemas/row.ts';
import { sandboxForTests } from '../tools/sandbox-for-tests.ts';
import { mountsOf, readCompose, wordsOf } from './compose/compose-file.ts';
import { filesCopied, stagesOf, type Stage } from './compose/dockerfile.ts';
import { adder, adderScript, adderTest } from './scenes.ts';
import { freePort } from './terminal.ts';
import { root, textOf } from './tree.ts';
import { eventually, makeRepository, patienceMs } from './yard-parts.ts';

// What compose.yaml and the images say, without an engine: the files that the image holds, the same entry point, words,
// variables and folders, as processes of this machine. Each path of a container is a folder of the test's; the name
// `broker` is loopback. From top to bottom.
const compose = readCompose('compose.yaml');
const stages = stagesOf(textOf('deploy/Dockerfile'));
const image = stages.at(-1)!;
const instruction = (name: string) => image.instructions.find((one) => one.name === name)!.text;

interface Ended {
  code: number | null;
  out: string;
}
interface Container extends Ended {
  child: ChildProcess;
  ended: Promise<Ended>;
}

let area: string;
let application: string;
let brokerPort: number;
let fixed: Record<string, string | undefined>;
const containers = new Map<string, Container>();

beforeAll(async () => {
  area = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-compose-')));
  application = layOut(image, 'app');
  linkPackages();
  takeBuilt(build());
  const [port, pagePort, socketPort] = [await freePort(), await freePort(), await freePort()];
  brokerPort = port;
  const config = parse(textOf('deploy/switchyard.yaml')) as Partial<Config> & { mesh: Config['mesh'] };
  expect(config.allow?.repositories).toEqual(['/repositories']);
  expect(config.mesh).toEqual({
    listen: '0.0.0.0',
    port: 4222,
    page: { listen: '0.0.0.0', port: 4200, socketPort: 4201 },
  });
  const sandbox = await sandboxForTests();
  const script = join(area, 'script.yaml');
  writeFileSync(script, stringify(adderScript));
  const own = {
    ...config,
    // Other networks than those of a container are not the test's to be seen in.
    mesh: {
      durability: 'process',
      listen: '127.0.0.1',
      port,
      page: { listen: '127.0.0.1', port: pagePort, socketPort },
    },
    allow: {
      ...config.allow,
      repositories: [join(area, 'repositories')],
      tests: [...config.allow!.tests, adderTest],
    },
    models: { scripted: { backend: 'scripted', pool: 'scripted', script } },
    roles: Object.fromEntries(agentRoles.map((role) => [role, { models: ['scripted'] }])),
    ...(sandbox.level === 'none' ? { tools: { withoutSandbox: 'run' } } : {}),
  };
  writeFileSync(join(area, 'switchyard.yaml'), stringify(own));
  writeFileSync(join(area, 'model-keys.env'), 'OPENAI_API_KEY=a-key-of-the-test\n', { mode: 0o600 });
  makeRepository(join(area, 'repositories', 'adder'), adder);
  const cache = cacheDirectoryOf(process.env);
  fixed = {
    PATH: [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter),
    SWITCHYARD_NATS_SERVER: await serverBinary(),
    XDG_CACHE_HOME: dirname(cache),
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
    ...(sandbox.level === 'none' ? {} : { SWITCHYARD_BWRAP: sandbox.bwrap }),
  };
});

afterAll(async () => {
  for (const { child } of containers.values()) child.kill('SIGKILL');
  await Promise.all([...containers.values()].map((one) => one.ended));
  if (area) rmSync(area, { recursive: true, force: true, maxRetries: 5 });
});

/** A folder that holds what a stage copies, and nothing else. */
function layOut(stage: Stage, name: string): string {
  const folder = join(area, name);
  for (const file of filesCopied(stage)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    copyFileSync(join(root, file), join(folder, file));
  }
  return folder;
}

/** Runs the commands of the stage that builds, on what it copies: an input that is missing there fails here. */
function build(): string {
  const stage = stages.find(({ name }) => name === 'build')!;
  const folder = layOut(stage, 'build');
  // `npm ci` is the one command of the stage that is not run: all packages are at hand.
  mkdirSync(join(folder, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name !== '.switchyard')
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  const [install, ...commands] = stage.instructions
    .filter((one) => one.name === 'RUN')
    .flatMap(({ text }) => text.split(' && '));
  expect(install).toMatch(/^npm ci /);
  for (const command of commands) {
    const [program, ...words] = command.split(' ');
    expect(program).toBe('node');
    execFileSync(process.execPath, words, { cwd: folder, stdio: 'pipe' });
  }
  return folder;
}

/** The packages of the image: those that `npm ci --omit=dev` installs; of one that only tests or builds need, nothing. */
function linkPackages(): void {
  const { packages } = JSON.parse(textOf('package-lock.json')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  for (const [path, { dev, devOptional }] of Object.entries(packages)) {
    if (!/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || dev || devOptional || !existsSync(join(root, path)))
      continue;
    mkdirSync(dirname(join(application, path)), { recursive: true });
    symlinkSync(join(root, path), join(application, path));
  }
}

/** What the image takes out of the stage that builds. */
function takeBuilt(folder: string): void {
  const copies = image.instructions.filter((one) => one.name === 'COPY' && one.flags['from'] === 'build');
  expect(copies).toHaveLength(2);
  for (const { text } of copies) {
    const [from, to] = text.split(' ') as [string, string];
    cpSync(join(folder, from.replace(/^\/app/, '')), join(application, to), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}

/** A path or address within a service's container, as the test has it. */
function here(name: string, text: string): string {
  const service = compose.services[name]!;
  const places = new Map(
    mountsOf(service).map(({ type, source, target }) => [
      target,
      type === 'volume' ? volume(source) : join(area, 'repositories'),
    ]),
  );
  for (const { source, target } of service.configs ?? []) places.set(target, join(area, `${source}.yaml`));
  for (const secret of service.secrets ?? [])
    places.set(`/run/secrets/${secret}`, join(area, `${secret}.env`));
  // Where a role's folders lie beside each other, as `prepare` sees them.
  places.set('/joined', join(area, 'volumes'));
  places.set('/tmp', join(area, 'tmp', name));
  const mapped = [...places].toSorted(([one], [other]) => other.length - one.length);
  const place = mapped.find(([path]) => text === path || text.startsWith(`${path}/`));
  if (place) return place[1] + text.slice(place[0].length);
  return text.replace('nats://broker:4222', `nats://127.0.0.1:${brokerPort}`);
}

const volume = (name: string) => {
  const folder = join(area, 'volumes', name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
};

/** Starts the image's entry point with these words, as the service's container would. */
function start(name: string, words: string[]): Container {
  const ofImage = Object.fromEntries(
    instruction('ENV')
      .split(/\s+/)
      .map((one) => one.split('=') as [string, string]),
  );
  const variables = { ...ofImage, ...compose.services[name]!.environment };
  for (const variable of Object.keys(variables)) variables[variable] = here(name, variables[variable]!);
  mkdirSync(variables['HOME']!, { recursive: true });
  for (const { source, type } of mountsOf(compose.services[name]!)) if (type === 'volume') volume(source);
  const [entry, ...more] = JSON.parse(instruction('ENTRYPOINT')) as string[];
  expect(entry).toMatch(/^\/app\//);
  const child = spawn(
    join(application, entry!.slice('/app'.length)),
    [...more, ...words.map((word) => here(name, word))],
    {
      cwd: application,
      env: { ...variables, ...fixed },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const container: Container = {
    child,
    code: null,
    out: '',
    ended: Promise.resolve({ code: null, out: '' }),
  };
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (container.out += text));
  container.ended = new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, out: String(error) }));
    child.once('close', (code) => resolve({ code, out: container.out }));
  });
  return container;
}

/** `docker compose up NAME`. */
function up(name: string): void {
  containers.set(name, start(name, wordsOf(compose.services[name]!.command)));
}

/** `docker compose exec NAME switchyard ...`. */
const run = (name: string, ...words: string[]) => start(name, words).ended;

/** Resolves when the service's own health check succeeds. */
async function healthy(name: string): Promise<void> {
  const [kind, command, ...words] = compose.services[name]!.healthcheck!.test;
  expect([kind, command]).toEqual(['CMD', 'switchyard']);
  // An engine would ask from the start on; each time is a process, and the machine may have two cores.
  const container = containers.get(name)!;
  const isUp = () =>
    / is up after | serves in the mesh /.test(container.out) || container.child.exitCode !== null;
  await eventually(isUp, `${name} to be up`, patienceMs);
  let last = '';
  await eventually(
    async () => {
      if (containers.get(name)!.child.exitCode !== null)
        throw new Error(`${name}: ${containers.get(name)!.out}`);
      const { code, out } = await run(name, ...words);
      last = out;
      return code === 0;
    },
    `${name} to be healthy`,
    patienceMs,
    500,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${last}\n${containers.get(name)!.out}`);
  });
}

const credentialsIn = (name: string) => readdirSync(join(area, 'volumes', name, 'credentials')).toSorted();
const prepare = () => run('prepare', ...wordsOf(compose.services['prepare']!.command));

test('compose run: the one-shot service makes a folder for each role with its own credentials, and again the same', async () => {
  expect(await prepare()).toMatchObject({ code: 0 });
  for (const role of roles)
    expect(credentialsIn(role)).toEqual([`${role}.json`, 'public-keys.json'].toSorted());
  const before = readFileSync(join(area, 'volumes/coder/credentials/coder.json'), 'utf8');
  expect(await prepare()).toMatchObject({ code: 0 });
  expect(readFileSync(join(area, 'volumes/coder/credentials/coder.json'), 'utf8')).toBe(before);
  expect(await run('coder', 'healthy')).toMatchObject({ code: 1 });
});

test('compose run: the broker and every role become healthy, and a task is completed', async () => {
  up('broker');
  await healthy('broker');
  for (const role of roles) up(role);
  await Promise.all(roles.map(healthy));
  const words = ['submit', '--repo', '/repositories/adder', '--test', adderTest, '--watch'];
  const watched = await run('broker', ...words);
  expect(watched, watched.out).toMatchObject({ code: 0 });
  const status = await run('broker', 'status', '--json');
  const { processes } = JSON.parse(status.out) as { processes: { role: string }[] };
  expect(processes.map(({ role }) => role).toSorted()).toEqual([...roles, 'observer'].toSorted());
  const link = await run('broker', 'dashboard');
  const [, page] = /^(http:\/\/127\.0\.0\.1:\d+\/)#token=/.exec(link.out)!;
  expect(await (await fetch(page!)).text()).toContain('<script');
  expect((await fetch(`${page}session`, { method: 'POST' })).status).not.toBe(200);
});

test('compose run: variables come through to the role, and keys of models to the one that asks models', async () => {
  const environmentOf = (name: string) => {
    const launcher = containers.get(name)!.child.pid!;
    const child = readFileSync(`/proc/${launcher}/task/${launcher}/children`, 'utf8').trim().split(' ')[0]!;
    return readFileSync(`/proc/${child}/environ`, 'utf8').split('\0');
  };
  for (const role of roles) {
    const variables = environmentOf(role);
    expect(variables).toContain('UV_THREADPOOL_SIZE=4');
    expect(variables.join('\n')).not.toContain('a-key-of-the-test');
  }
  const environ = readFileSync(`/proc/${containers.get('inference')!.child.pid}/cmdline`, 'utf8');
  expect(environ).toContain(`--env-file=${join(area, 'model-keys.env')}`);
  const coder = readFileSync(`/proc/${containers.get('coder')!.child.pid}/cmdline`, 'utf8');
  expect(coder).not.toContain('--env-file');
});

test('compose run: each of them ends by itself when it is told to, within its time', async () => {
  const names = [...roles, 'broker'];
  for (const name of names) {
    const { child, ended } = containers.get(name)!;
    const limitMs = parseInt(compose.services[name]!.stop_grace_period!, 10) * 1000;
    expect(limitMs).toBeGreaterThan(10_000);
    child.kill('SIGTERM');
    if (name === roles.at(-1))
      for (const role of roles) expect((await containers.get(role)!.ended).code).toBe(0);
    if (name === 'broker') expect((await ended).code).toBe(0);
  }
});
