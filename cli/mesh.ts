import { cacheDirectoryOf } from '../bus/cache-directory.ts';
import { connect, type Bus } from '../bus/connect.ts';
import { loadCredentials, readCredential } from '../bus/credentials.ts';
import { openLauncher, type Child, type Launcher, type Program } from '../bus/launcher.ts';
import { programFile } from '../bus/program-file.ts';
import { findServer } from '../bus/nats-binary.ts';
import type { BrowserAccess } from '../bus/nats-config.ts';
import { startServer, type RunningServer, type StartServerOptions } from '../bus/nats-server.ts';
import { ensureStreams } from '../bus/streams.ts';
import { brokerCredentials } from '../config/broker-credentials.ts';
import type { Config } from '../config/config.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { checkoutRoot, logsDirectory } from '../config/state.ts';
import { brokerUsers, browserReach, inboxPrefixOf, permissionsOf } from '../schemas/permissions.ts';
import type { Role } from '../schemas/row.ts';
import { keepPort, lastPort } from './last-port.ts';
import { freePort } from './observer.ts';
import { environmentOf } from './process-environment.ts';
import { reportDeath } from './report-death.ts';

export type Say = (line: string) => void;
type Environment = Record<string, string | undefined>;

/** A broker with the mesh's streams, started by us or the operator's own. */
export interface Broker {
  url: string;
  ports: Record<string, number>;
  version: string;
  bus: Bus;
  /** The child process, where we started it; another one after a restart. */
  server: RunningServer | undefined;
  /** Ends our own server and starts it anew on the same port and store. Throws an Error with the mend. */
  restart(): Promise<void>;
  /** From here on these are the users of browsers, and no others. Throws an Error where the broker takes none. */
  letIn(browserUsers: BrowserAccess['users']): Promise<void>;
}

/** The pool of gpu-workers whose model stands in no configuration. */
const gpuPool = 'gpu';

export const poolsOf = (config: Config): string[] => [
  ...new Set([...modelDefinitions(config.models).map((model) => model.pool), gpuPool]),
];

/** Finds, fetches or reaches a broker, and makes its streams. `pagePort`: whose page's browsers it lets in; none where left out. */
export async function openBroker(
  config: Config,
  stateDirectory: string,
  environment: Environment,
  say: Say,
  pagePort?: number,
): Promise<Broker> {
  const { mesh } = config;
  const credentials = await loadCredentials(stateDirectory, [...brokerUsers]);
  const pools = poolsOf(config);
  if (mesh.url !== undefined) {
    const bus = await connect(mesh.url, 'launcher', brokerCredentials(mesh));
    await ensureStreams(bus, mesh.namespace, pools, mesh.leaseMs);
    const restart = () => Promise.reject(new Error(`the nats-server at ${mesh.url} is not ours to start`));
    const version = bus.serverVersion;
    return { url: mesh.url, ports: {}, version, bus, server: undefined, restart, letIn: restart };
  }
  warnOfListening(mesh, say);
  const found = await findServer({
    ...(environment['SWITCHYARD_NATS_SERVER']
      ? { explicitBinary: environment['SWITCHYARD_NATS_SERVER'] }
      : {}),
    cacheDirectory: cacheDirectoryOf(environment),
    path: environment['PATH'] ?? '',
    say,
  });
  const settings = {
    binary: found.binary,
    stateDirectory,
    name: mesh.name,
    durability: mesh.durability,
    ...(mesh.listen === undefined ? {} : { listen: mesh.listen }),
    ...(mesh.tls === undefined ? {} : { tls: mesh.tls }),
    users: brokerUsers.map((name) => ({
      name,
      password: credentials[name]!.password,
      ...permissionsOf(name, mesh.namespace, pools),
    })),
    ...(pagePort === undefined
      ? {}
      : {
          websocketPort: mesh.page?.socketPort ?? (await lastSocketPort(stateDirectory)) ?? 0,
          ...(mesh.page?.listen === undefined ? {} : { websocketListen: mesh.page.listen }),
          browsers: browsersOf(mesh.namespace, pagePort),
        }),
  };
  const server = await startWhereItWas(settings, mesh.port, lastPort(stateDirectory));
  keepPort(stateDirectory, server.port);
  const bus = await connect(server.url, 'launcher', {
    user: 'admin',
    password: credentials['admin']!.password,
  });
  await ensureStreams(bus, mesh.namespace, pools, mesh.leaseMs);
  const ports = Object.fromEntries(server.ports.map((one) => [one.name, one.port]));
  // An open page may connect to this port and no other: its policy names it.
  if (ports['websocket'] !== undefined) keepPort(stateDirectory, ports['websocket'], 'socket-port');
  let letIn: BrowserAccess['users'] = [];
  const broker: Broker = {
    url: server.url,
    ports,
    version: found.version,
    bus,
    server,
    async restart() {
      await broker.server?.stop();
      const websocketPort = ports['websocket'];
      broker.server = await startServer({
        ...settings,
        port: server.port,
        ...(settings.browsers && websocketPort !== undefined
          ? { websocketPort, browsers: { ...settings.browsers, users: letIn } }
          : {}),
      });
    },
    async letIn(browserUsers) {
      letIn = browserUsers;
      await broker.server?.letIn(browserUsers);
    },
  };
  return broker;
}

/** Where the last browser was let in, if that is free. */
async function lastSocketPort(stateDirectory: string): Promise<number | undefined> {
  const last = lastPort(stateDirectory, 'socket-port');
  return last === undefined ? undefined : freePort(last);
}

/** What it means that other machines reach the broker; said before it does. */
function warnOfListening({ listen, tls }: Config['mesh'], say: Say): void {
  if (listen === undefined || /^(127\.|::1$)/.test(listen)) return;
  say(
    `the broker listens on ${listen}, as mesh.listen says: whoever reaches it may try passwords, and nothing else without one`,
  );
  if (tls === undefined)
    say(
      '  nothing of it is encrypted: on the way, passwords, source code and replies can be read and changed. Give mesh.tls, or keep it to a network that you trust',
    );
}

const browsersOf = (namespace: string, pagePort: number): BrowserAccess => ({
  origins: [`http://127.0.0.1:${pagePort}`],
  ...browserReach(namespace),
  users: [],
});

/** On the port that was asked for, else on the one that the last server had, else on a free one. */
async function startWhereItWas(
  settings: StartServerOptions,
  asked: number | undefined,
  last: number | undefined,
): Promise<RunningServer> {
  if (asked !== undefined) return startServer({ ...settings, port: asked });
  if (last === undefined) return startServer(settings);
  try {
    return await startServer({ ...settings, port: last });
  } catch (error) {
    if (!/^(Port \d+ is in use|This user may not listen)/.test((error as Error).message)) throw error;
    return startServer(settings);
  }
}

/** Reaches the broker of a mesh that runs already, as its launcher. */
export async function reachBroker(config: Config, stateDirectory: string, url: string): Promise<Bus> {
  const credentials = await loadCredentials(stateDirectory, [...brokerUsers]);
  const user = brokerCredentials(config.mesh) ?? { user: 'admin', password: credentials['admin']!.password };
  return connect(url, 'launcher', user);
}

/** Reaches the broker of a mesh from a host that joined it: as the role alone, which is all that it was given. */
export async function reachBrokerAs(
  role: Role,
  config: Config,
  stateDirectory: string,
  url: string,
): Promise<Bus> {
  const own = brokerCredentials(config.mesh);
  if (own) return connect(url, 'launcher', own);
  const { password } = await readCredential(stateDirectory, role);
  return connect(url, 'launcher', { user: role, password, inboxPrefix: inboxPrefixOf(role) });
}

export interface RolesOptions {
  config: Config;
  stateDirectory: string;
  environment: Environment;
  bus: Bus;
  bubblewrap: string | undefined;
  configFile: string | undefined;
  /** Where the broker is, if the state folder does not say so. */
  brokerUrl?: string | undefined;
  faults?: Partial<Record<Role, string>>;
  onStart?(child: Child): void;
  onDeath(child: Child, how: string): void;
  answer?(program: Program, asked: unknown): Promise<unknown>;
}

/** A launcher for this mesh's roles. A fault is planted into the first processes of a role only, never into replacements. */
export function openRoles(options: RolesOptions): Launcher {
  const { config, environment } = options;
  const planted = new Map(
    Object.entries(options.faults ?? {}).map(([role, fault]) => [
      role,
      { fault, left: config.processes[role as Role] },
    ]),
  );
  return openLauncher({
    checkout: checkoutRoot,
    fileOf: programFile,
    stateDirectory: options.stateDirectory,
    logsDirectory: logsDirectory(options.stateDirectory),
    args: [
      ...(options.configFile ? ['--config', options.configFile] : []),
      ...(options.brokerUrl ? ['--broker', options.brokerUrl] : []),
    ],
    bus: options.bus,
    onDeath(child, how) {
      const { bus, stateDirectory } = options;
      void reportDeath({ bus, namespace: config.mesh.namespace, stateDirectory }, child, how);
      options.onDeath(child, how);
    },
    ...(options.answer ? { answer: options.answer } : {}),
    ...(options.onStart ? { onStart: options.onStart } : {}),
    environment: (program) => {
      const fault = planted.get(program);
      const isFirst = fault !== undefined && fault.left > 0;
      if (isFirst) fault.left -= 1;
      return environmentOf(program, config, environment, {
        ...(options.bubblewrap ? { SWITCHYARD_BWRAP: options.bubblewrap } : {}),
        ...(isFirst ? { SWITCHYARD_FAULT: fault.fault } : {}),
      });
    },
  });
}
