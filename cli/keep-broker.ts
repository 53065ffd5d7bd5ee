import { open, statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodes } from './exit-codes.ts';
import type { Broker, Say } from './mesh.ts';

/** Room without which a nats-server is not started, and some to work with. */
const leastFreeBytes = 48 * 1024 * 1024;
const lookMs = 500;
/** As often as this within so long it is started anew; one that ends again then has something that a start does not mend. */
const mostRestarts = 3;
const windowMs = 5 * 60_000;

export interface BrokerKeeper {
  /** Resolves with the exit code when the nats-server has ended again and again and nobody told it to. */
  ended: Promise<number>;
  /** From here on its end is as it should be. Resolves when nothing is started any more. */
  stop(): Promise<void>;
}

/**
 * Keeps a nats-server of ours: one that ended is started anew on its port, so that whoever was connected finds it again.
 * So is one that met a full disk, as soon as there is room: it stores nothing more until then, however much room there
 * is. `onRestart` is called then. What it had acknowledged is in its store.
 */
export function keepBroker(
  broker: Broker,
  say: Say,
  onRestart: () => void,
  shortestWaitMs = 250,
): BrokerKeeper {
  const stopping = new AbortController();
  const { signal } = stopping;
  const ended = Promise.withResolvers<number>();
  const restartsAtMs: number[] = [];
  const keeping = broker.server ? keep() : Promise.resolve();
  keeping.catch((error: unknown) => {
    if (!signal.aborted) say(`the nats-server is not watched any more: ${String(error)}`);
  });

  async function keep(): Promise<void> {
    while (!signal.aborted) {
      const what = await Promise.race([metFullDisk(broker, signal), broker.server!.exited]);
      if (signal.aborted || what === 'stopped') return;
      if (what === 'full') await restartWithRoom();
      else if (!(await revive(what.signal ?? `exit code ${what.code}`))) {
        ended.resolve(exitCodes.unreachable);
        return;
      }
    }
  }

  /** Starts it anew after its end, a little later each time; false once that was done too often. */
  async function revive(how: string): Promise<boolean> {
    const { logFile } = broker.server!;
    let what = `the nats-server ended (${how})`;
    for (;;) {
      while (restartsAtMs[0] !== undefined && restartsAtMs[0] < Date.now() - windowMs) restartsAtMs.shift();
      const restarts = restartsAtMs.length;
      if (restarts >= mostRestarts) {
        say(
          `${what} and was started anew ${restarts} times within ${windowMs / 60_000} minutes; its log: ${logFile}. Nothing accepted is lost: start again with ./switchyard up`,
        );
        return false;
      }
      say(`${what}; it is started anew. Its log: ${logFile}`);
      await sleep(shortestWaitMs * 4 ** restarts, undefined, { signal });
      restartsAtMs.push(Date.now());
      try {
        await broker.restart();
        say('the nats-server runs again: nothing that was accepted is lost, and all goes on');
        onRestart();
        return true;
      } catch (error) {
        what = `the nats-server did not start (${error instanceof Error ? error.message : String(error)})`;
      }
    }
  }

  async function restartWithRoom(): Promise<void> {
    const { logFile } = broker.server!;
    say(
      `the disk that holds ${logFile} is full: no task goes on, and nothing that was accepted is lost. Make room there, and it goes on by itself`,
    );
    for (;;) {
      await sleep(lookMs, undefined, { signal });
      const disk = await statfs(logFile);
      if (disk.bavail * disk.bsize < leastFreeBytes) continue;
      try {
        await broker.restart();
        say('there is room again: the nats-server was started anew, and all goes on');
        onRestart();
        return;
      } catch (error) {
        say(error instanceof Error ? error.message : String(error));
      }
    }
  }

  return {
    ended: ended.promise,
    async stop() {
      stopping.abort();
      await keeping.catch(() => {});
    },
  };
}

/** Follows the log of the server as it runs now, until it tells of a full disk. */
async function metFullDisk(broker: Broker, signal: AbortSignal): Promise<'full' | 'stopped'> {
  const { server } = broker;
  const log = await open(server!.logFile, 'r');
  try {
    let place = (await log.stat()).size;
    while (!signal.aborted && server === broker.server) {
      await sleep(lookMs, undefined, { signal }).catch(() => {});
      const { size } = await log.stat();
      if (size === place) continue;
      const { buffer } = await log.read(Buffer.alloc(size - place), 0, size - place, place);
      place = size;
      if (buffer.includes('no space left on device')) return 'full';
    }
    return 'stopped';
  } finally {
    await log.close();
  }
}
