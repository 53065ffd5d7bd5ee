import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { openClient, type Client, type Recorded } from '../bus/client.ts';
import { connect, type Bus } from '../bus/connect.ts';
import { loadCredentials, readPublicKeys } from '../bus/credentials.ts';
import { openLauncher, type Child, type Launcher } from '../bus/launcher.ts';
import type { BrowserAccess } from '../bus/nats-config.ts';
import { startServer, type RunningServer } from '../bus/nats-server.ts';
import { serverBinary } from '../bus/server-fixture.ts';
import { ensureStreams } from '../bus/streams.ts';
import { answerObserver, freePort } from '../cli/observer.ts';
import { writeMeshFile } from '../config/mesh-file.ts';
import { keepOverrides, type Overrides } from '../config/overrides.ts';
import { checkoutRoot, createStateDirectory } from '../config/state.ts';
import { lockStateDirectory } from '../config/state-lock.ts';
import type { Scene } from '../inference/backends/script.ts';
import { shortType } from '../schemas/envelope.ts';
import { brokerUsers, browserReach, inboxPrefixOf, permissionsOf } from '../schemas/permissions.ts';
import type { SubmitRequest } from '../schemas/request.ts';
import { roles, type Role } from '../schemas/row.ts';
import { streamNames } from '../schemas/subject.ts';
import { sandboxForTests } from '../tools/sandbox-for-tests.ts';
import { builtProgram } from './built-program.ts';
import { problemsOfTask } from './oracle.ts';
import { adder, adderScript, adderTest, slotsTest } from './scenes.ts';
import {
  environmentOf,
  eventually,
  followUntil,
  makeRepository,
  startBare,
  type BareProcess,
} from './yard-parts.ts';

export const namespace = 'yard';
export const streams = streamNames(namespace);
const pool = 'scripted';
const usual: Partial<Record<Role, number>> = { manager: 1, router: 1, inference: 1, coder: 1, reviewer: 1 };
const endings = new Set(['task.completed', 'task.failed', 'task.cancelled', 'task.rejected', 'task.paused']);

export interface YardOptions {
  /** How many processes of each role the launcher starts; left out: one of each that the usual task needs. */
  processes?: Partial<Record<Role, number>>;
  /** Each process of a role takes the next of these as its SWITCHYARD_FAULT when it starts, replacements too. */
  faults?: Partial<Record<Role, string[]>>;
  leaseMs?: number;
  sweepMs?: number;
  /** `process` where it is left out: nobody pulls the plug of a test. */
  durability?: 'power' | 'process';
  /** How long the streams remember a message's id; short, so that nothing is hidden by it. */
  duplicateWindowMs?: number;
  /** Messages at a time, by role. */
  slots?: Partial<Record<Role, number>>;
  script?: Scene[];
  /** Pools beside that of the script. */
  pools?: string[];
  overrides?: Overrides;
  /** More variables for each process. */
  environment?: Record<string, string>;
  mode?: 'local-only' | 'local+api';
  /** Serves the page, and lets its browsers in; the observer is started with `startObserver`. */
  hasPage?: boolean;
}

/** A real mesh for a test: nats-server, generated credentials, role processes, a scripted model, a repository. */
export interface Yard {
  area: string;
  stateDirectory: string;
  /** The adder, which the usual task mends. */
  repository: string;
  server: RunningServer;
  /** May do everything on the broker. */
  admin: Bus;
  client: Client;
  launcher: Launcher;
  /** Processes of the launcher that ended unasked, oldest first. */
  deaths: { role: Role; how: string }[];
  /** Faults that no process has taken yet. */
  faults: Partial<Record<Role, string[]>>;
  /** Where programs have no sandbox, a step that may have happened is never repeated but shown to a person. */
  isSandboxed: boolean;
  /** A second connection as one of the broker's users, with the rights that the contract gives it. */
  connectAs(user: (typeof brokerUsers)[number]): Promise<Bus>;
  submit(asked?: Partial<SubmitRequest>, identity?: { source: string; id: string }): Promise<string>;
  /** Waits for a task's first event that fits, from its first on. */
  until(taskId: string, fits: (one: Recorded, type: string) => boolean): Promise<Recorded>;
  /** Waits until a task is over or paused, and gives that event's short type. */
  ended(taskId: string): Promise<string>;
  events(taskId: string): Promise<Recorded[]>;
  /** All that is wrong with a task's record, the decisions in it, and its branch; empty = nothing. */
  problemsOf(taskId: string, repository?: string): Promise<string[]>;
  /** One more process, kept by the launcher. */
  start(role: Role, fault?: string): Promise<void>;
  startBare(role: Role, fault?: string): BareProcess;
  startObserver(): Promise<Child>;
  /** Where the page and its WebSocket are; 0 without a page. */
  pagePort: number;
  socketPort: number;
  /** kill -9 to every process of the role that the launcher keeps. */
  kill(role: Role): void;
  killBroker(): Promise<void>;
  /** Starts the broker again on the same state and port. */
  startBroker(): Promise<void>;
  makeRepository(name: string, files: Record<string, string> | string): string;
  stop(): Promise<void>;
}

export async function openYard(options: YardOptions = {}): Promise<Yard> {
  const area = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-yard-')));
  const closing: (() => unknown)[] = [() => rmSync(area, { recursive: true, force: true, maxRetries: 5 })];
  const stop = async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  };
  try {
    return await open(area, options, closing, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function open(
  area: string,
  options: YardOptions,
  closing: (() => unknown)[],
  stop: () => Promise<void>,
): Promise<Yard> {
  const stateDirectory = join(area, 'state');
  const logs = join(area, 'logs');
  createStateDirectory(stateDirectory);
  const lock = lockStateDirectory(stateDirectory);
  closing.push(() => lock.release());
  mkdirSync(logs);
  const sandbox = await sandboxForTests();
  const repository = makeRepository(join(area, 'adder'), adder);
  const overrides = overridesOf(area, options, sandbox.level === 'none');
  keepOverrides(stateDirectory, overrides);
  const file = { slots: options.slots ?? {}, ...(options.mode ? { mode: options.mode } : {}) };
  writeFileSync(join(area, 'switchyard.yaml'), stringify(file));
  const { leaseMs } = overrides.mesh as { leaseMs: number };

  const pools = [pool, ...(options.pools ?? [])];
  const credentials = await loadCredentials(stateDirectory, [...brokerUsers]);
  const publicKeys = await readPublicKeys(stateDirectory);
  const users = brokerUsers.map((name) => ({
    name,
    password: credentials[name]!.password,
    ...permissionsOf(name, namespace, pools),
  }));
  const binary = await serverBinary();
  const pagePort = options.hasPage ? ((await freePort(0)) ?? 0) : 0;
  let browserUsers: BrowserAccess['users'] = [];
  const startOn = (at: { port: number; socketPort: number }) => {
    const page = {
      browsers: {
        origins: [`http://127.0.0.1:${pagePort}`],
        ...browserReach(namespace),
        users: browserUsers,
      },
      websocketPort: at.socketPort,
    };
    const settings = { binary, stateDirectory, name: 'yard', durability: 'process' as const, users };
    return startServer({ ...settings, port: at.port, ...(pagePort > 0 ? page : {}) });
  };
  let server = await startOn({ port: 0, socketPort: 0 });
  const socketPort = server.ports.find(({ name }) => name === 'websocket')?.port ?? 0;
  closing.push(() => server.stop());
  const { url, port } = server;
  const connectAs = async (user: string) => {
    const bus = await connect(url, `test ${user}`, {
      user,
      password: credentials[user]!.password,
      ...repliesOf(user),
    });
    closing.push(() => bus.connection.close());
    return bus;
  };
  const admin = await connectAs('admin');
  await ensureStreams(admin, namespace, pools, leaseMs);
  await forgetSoon(admin, options.duplicateWindowMs ?? 100);
  writeMeshFile(stateDirectory, {
    name: 'yard',
    namespace,
    url,
    ports: { nats: port },
    processes: [],
    startedAtMs: Date.now(),
  });
  const client = await openClient(url, namespace, {
    user: 'operator',
    password: credentials['operator']!.password,
  });
  closing.push(() => client.close());

  const faults = { ...options.faults };
  const deaths: Yard['deaths'] = [];
  const environment = (fault: string | undefined) => ({
    ...environmentOf(sandbox.level === 'none' ? undefined : sandbox.bwrap, fault),
    ...options.environment,
  });
  const launcher = openLauncher({
    checkout: checkoutRoot,
    fileOf: builtProgram,
    stateDirectory,
    logsDirectory: logs,
    args: [],
    bus: admin,
    // Here processes are killed one after the other on purpose.
    longestBackOffMs: 200,
    environment: (role) => environment(faults[role as Role]?.shift()),
    answer: answerObserver({
      async letIn(named) {
        browserUsers = named;
        await server.letIn(named);
      },
    }),
    onDeath: ({ program }, how) => void deaths.push({ role: program as Role, how }),
  });
  closing.push(() => launcher.stop());
  const bare: BareProcess[] = [];
  closing.push(() => {
    for (const one of bare) one.kill('SIGKILL');
    return Promise.all(bare.map((one) => one.gone));
  });

  const wanted = Object.entries(options.processes ?? usual) as [Role, number][];
  await Promise.all(
    wanted.flatMap(([role, count]) => Array.from({ length: count }, () => launcher.start(role))),
  );
  return {
    area,
    stateDirectory,
    repository,
    get server() {
      return server;
    },
    admin,
    client,
    launcher,
    deaths,
    faults,
    isSandboxed: sandbox.level !== 'none',
    connectAs,
    async submit(asked, identity) {
      const whole = { goal: 'Make the tests pass', repository, test: adderTest, ...asked };
      return (await client.request('task.submit', whole, identity)).taskId;
    },
    until: (taskId, fits) => followUntil(client, taskId, fits),
    async ended(taskId) {
      return shortType((await followUntil(client, taskId, (_one, type) => endings.has(type))).event.type);
    },
    events: (taskId) => client.read(taskId),
    problemsOf: (taskId, worked = repository) =>
      problemsOfTask(client, taskId, namespace, publicKeys, worked),
    async start(role, fault) {
      if (fault) faults[role] = [fault, ...(faults[role] ?? [])];
      await launcher.start(role);
    },
    startBare(role, fault) {
      const started = startBare(
        role,
        stateDirectory,
        join(logs, `bare-${role}-${bare.length}.log`),
        environment(fault),
      );
      bare.push(started);
      return started;
    },
    startObserver: () =>
      launcher.start(
        'observer',
        pagePort > 0 ? ['--page-port', String(pagePort), '--socket-port', String(socketPort)] : [],
      ),
    pagePort,
    socketPort,
    kill(role) {
      for (const child of launcher.children()) if (child.program === role) child.kill('SIGKILL');
    },
    async killBroker() {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    async startBroker() {
      server = await startOn({ port, socketPort });
      const { connection } = client.bus;
      await eventually(() => connection.rtt().catch(() => undefined), 'the client to be connected again');
      await eventually(
        () => admin.connection.rtt().catch(() => undefined),
        'the launcher to be connected again',
      );
    },
    makeRepository: (name, files) => makeRepository(join(area, name), files),
    stop,
  };
}

/** What `up` would keep of its command line: the area's repositories are allowed, and every role asks the script. */
function overridesOf(area: string, options: YardOptions, isWithoutSandbox: boolean): Overrides {
  const script = join(area, 'script.yaml');
  writeFileSync(script, stringify(options.script ?? adderScript));
  const { overrides } = options;
  return {
    ...overrides,
    mesh: {
      leaseMs: options.leaseMs ?? 2000,
      sweepMs: options.sweepMs ?? 15_000,
      durability: 'process',
      ...overrides?.mesh,
    },
    allow: { repositories: [area], tests: [adderTest, slotsTest] },
    models: {
      scripted: {
        backend: 'scripted',
        pool,
        script,
        contextTokens: 32_768,
        maxTokens: 2048,
        timeoutMs: 60_000,
        tags: ['scripted'],
      },
      ...overrides?.models,
    },
    roles: {
      planner: ['scripted'],
      coder: ['scripted'],
      tester: ['scripted'],
      reviewer: ['scripted'],
      ...overrides?.roles,
    },
    ...(isWithoutSandbox ? { tools: { withoutSandbox: 'run' as const, ...overrides?.tools } } : {}),
  };
}

/** A role hears its own replies only. */
const repliesOf = (user: string) =>
  [...roles, 'observer'].includes(user) ? { inboxPrefix: inboxPrefixOf(user) } : {};

async function forgetSoon(admin: Bus, windowMs: number): Promise<void> {
  for (const name of Object.values(streams)) {
    const { config } = await admin.manager.streams.info(name);
    await admin.manager.streams.update(name, { ...config, duplicate_window: windowMs * 1_000_000 });
  }
}
