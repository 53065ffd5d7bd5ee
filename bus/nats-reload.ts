import type { ChildProcess } from 'node:child_process';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFrom } from './read-from.ts';

const LIMIT_MS = 30_000;

/**
 * Gives a running server another configuration: who may connect can change that way, while all who still may stay
 * connected. One at a time, and only where it is another; resolves when the server has taken it. Throws an Error with the
 * server's own words where it does not.
 */
export function openReload(
  configFile: string,
  child: ChildProcess,
  logFile: string,
): (config: string) => Promise<void> {
  let last: Promise<void> = Promise.resolve();

  async function reload(config: string): Promise<void> {
    // Whoever connects just now may be refused, or heard by nobody.
    if ((await readFile(configFile, 'utf8')) === config) return;
    const fresh = `${configFile}.next`;
    await writeFile(fresh, config, { mode: 0o600 });
    await rename(fresh, configFile);
    const from = (await stat(logFile)).size;
    if (child.exitCode !== null || child.signalCode !== null || !child.kill('SIGHUP'))
      throw new Error('the nats-server has ended, so it takes no other configuration');
    const until = performance.now() + LIMIT_MS;
    while (performance.now() < until) {
      const said = await readFrom(logFile, from);
      const refusal = /\[ERR\] (.*(?:reload|reading config).*)/i.exec(said)?.[1];
      if (refusal !== undefined)
        throw new Error(`the nats-server does not take its configuration: ${refusal}`);
      if (said.includes('Reloaded server configuration')) return;
      await sleep(10);
    }
    throw new Error(
      `the nats-server did not say within ${LIMIT_MS / 1000} s that it took its configuration; see ${logFile}`,
    );
  }

  return (config) => {
    const mine = last.catch(() => {}).then(() => reload(config));
    last = mine;
    return mine;
  };
}
