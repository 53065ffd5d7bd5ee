import { open, statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodes } from './exit-codes.ts';
import type { Broker, Say } from './mesh.ts';

/** Room without which a nats-server is not started, and some to work with. */
const leastFreeBytes = 48 * 1024 * 1024;
const lookMs = 500;

export interface BrokerKeeper {
  /** Resolves with the exit code when the nats-server has ended and nobody told it to. */
  ended: Promise<number>;
  /** From here on its end is as it should be. Resolves when nothing is started any more. */
  stop(): Promise<void>;
}

/**
 * Keeps a nats-server of ours. One that met a full disk stores nothing more until it is started anew, however much room
 * there is: it is started anew as soon as there is room, on its port, so that whoever is connected finds it again.
 * `onRestart` is called then. What it had acknowledged is in its store.
 */
export function keepBroker(broker: Broker, say: Say, onRestart: () => void): BrokerKeeper {
  const stopping = new AbortController();
  const { signal } = stopping;
  const ended = Promise.withResolvers<number>();
  const keeping = broker.server ? keep() : Promise.resolve();
  keeping.catch((error: unknown) => {
    if (!signal.aborted) say(`the nats-server is not watched any more: ${String(error)}`);
  });

  async function keep(): Promise<void> {
    while (!signal.aborted) {
      const what = await Promise.race([metFullDisk(broker, signal), broker.server!.exited]);
      if (signal.aborted || what === 'stopped') return;
      if (what !== 'full') {
        const how = what.signal ?? `exit code ${what.code}`;
        say(
          `the nats-server ended (${how}); its log: ${broker.server!.logFile}. Nothing accepted is lost: start again with ./switchyard up`,
        );
        ended.resolve(exitCodes.unreachable);
        return;
      }
      await restart();
    }
  }

  async function restart(): Promise<void> {
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
