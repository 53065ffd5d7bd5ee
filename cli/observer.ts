import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { readCredential } from '../bus/credentials.ts';
import type { Launcher } from '../bus/launcher.ts';
import type { BrowserAccess } from '../bus/nats-config.ts';
import type { Config } from '../config/config.ts';
import { linkTo, makeToken } from '../config/page-link.ts';
import { checkoutRoot } from '../config/state.ts';
import { tracesExporters } from '../observability/otlp-settings.ts';
import { keepPort, lastPort } from './last-port.ts';
import type { Broker, Say } from './mesh.ts';
import type { UpOptions } from './up-options.ts';

/** Whether there is a page: a mesh that ends with its only task is watched where it was started. */
export const hasPage = (
  options: Pick<UpOptions, 'once' | 'brokerOnly' | 'dashboard'>,
  config: { mesh: Pick<Config['mesh'], 'url'> },
): boolean =>
  // Into an operator's own broker we let nobody.
  looksOn(options, {}) && options.dashboard !== false && config.mesh.url === undefined;

/** Whether an observer is started: anybody may ask what happens, and with `--once` spans are wanted elsewhere. */
export const looksOn = (
  options: Pick<UpOptions, 'once' | 'brokerOnly'>,
  environment: Record<string, string | undefined>,
): boolean =>
  options.brokerOnly !== true && (options.once !== true || tracesExporters(environment).length > 0);

/** The port of the page: the one that it had last, so that an open page finds it again, else a free one. */
export async function pagePortFor(
  options: UpOptions,
  config: Config,
  stateDirectory: string,
): Promise<number | undefined> {
  if (!hasPage(options, config)) return undefined;
  const { page } = config.mesh;
  if (page?.port !== undefined) return page.port;
  const port = (await freePort(lastPort(stateDirectory, 'page-port') ?? 0)) ?? (await freePort(0));
  if (port !== undefined) keepPort(stateDirectory, port, 'page-port');
  return port;
}

/** The port if it is free, or with 0 any that is. */
export function freePort(port: number): Promise<number | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
    });
  });
}

/** What the observer asks of us: that the broker lets in the browsers that it names, and no others. */
export function answerObserver(broker: Pick<Broker, 'letIn'>) {
  return async (program: string, asked: unknown): Promise<unknown> => {
    const { letIn } = (asked ?? {}) as { letIn?: unknown };
    if (program !== 'observer' || !Array.isArray(letIn)) throw new Error('that is not for a process to ask');
    const users = letIn.map((one: Partial<BrowserAccess['users'][number]>) => {
      if (!/^page-[0-9a-f]{12}$/.test(one.name ?? '') || !/^[\w-]{40,60}$/.test(one.password ?? ''))
        throw new Error('that names no browser');
      return { name: one.name!, password: one.password! };
    });
    await broker.letIn(users);
    return users.length;
  };
}

export interface ObserverOptions {
  launcher: Pick<Launcher, 'start'>;
  broker: Broker;
  pagePort: number | undefined;
  /** The address that the page listens on; undefined: loopback. */
  pageListen: string | undefined;
  stateDirectory: string;
  say: Say;
}

/** Sees that the page is built from the sources that are here; a page that cannot be is told of and not waited for. */
function buildPage(say: Say): Promise<void> {
  const build = spawn(process.execPath, [join(checkoutRoot, 'setup', 'dashboard.mjs')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let problem = '';
  build.stderr.setEncoding('utf8').on('data', (text: string) => void (problem += text));
  return new Promise((resolve) => {
    build.on('error', () => resolve());
    build.on('close', () => {
      if (problem !== '') say(problem.replace(/^switchyard: /, '').trim());
      resolve();
    });
  });
}

/** Starts the observer, and says where the page is once it serves. */
export async function startObserver(options: ObserverOptions): Promise<void> {
  const { launcher, broker, pagePort, pageListen, stateDirectory, say } = options;
  const socketPort = broker.ports['websocket'];
  const isServed = pagePort !== undefined && socketPort !== undefined;
  try {
    if (isServed) await buildPage(say);
    await launcher.start(
      'observer',
      isServed
        ? [
            ...['--page-port', String(pagePort), '--socket-port', String(socketPort)],
            ...(pageListen === undefined ? [] : ['--page-listen', pageListen]),
          ]
        : [],
    );
    if (isServed) say(`see it happen: ${await freshLink(stateDirectory, pagePort)}`);
  } catch {
    // The launcher has said that it ended, and tries again.
  }
}

/** A link that opens the page of the running mesh, once, within the hour. */
export async function freshLink(stateDirectory: string, pagePort: number): Promise<string> {
  const { password } = await readCredential(stateDirectory, 'observer');
  return linkTo(pagePort, makeToken(password, Date.now()));
}
