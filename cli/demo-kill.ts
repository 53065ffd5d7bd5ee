import type { Client } from '../bus/client.ts';
import type { Launcher } from '../bus/launcher.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import type { DemoFault } from './demo.ts';
import type { Say } from './mesh.ts';

export interface DemoKill {
  launcher: Launcher;
  client: Client;
  fault: DemoFault;
  say: Say;
}

/**
 * Kills the demo's coder with kill -9 when its edit is committed and the result is not journaled yet, and measures from
 * the record how long it took until another process held the step and had its result.
 */
export async function killHeldCoder({ launcher, client, fault, say }: DemoKill): Promise<void> {
  const abort = new AbortController();
  const coder = await launcher.held(fault.point);
  const killedAtMs = Date.now();
  coder.kill('SIGKILL');
  say(
    `  >> kill -9 ${coder.pid}: the demo kills its own coder (${coder.process}) between intent and result of step ${fault.step}`,
  );
  const taskId = await taskOfRun(client, fault.runId);
  try {
    for await (const { event, atMs } of client.follow(taskId, abort.signal)) {
      const type = shortType(event.type);
      if (type === 'run.stepped' || type === 'run.concluded') {
        const data = event.data as DataOf<'run.stepped'>;
        if (data.number !== fault.step || !event.correlationid) continue;
        const took = Math.max(atMs, killedAtMs) - killedAtMs;
        const what = data.outcome.adopted
          ? 'it found the edit made and repeated nothing'
          : 'the edit had not been made yet; it was made once';
        say(`  >> back after ${took} ms in ${data.given.process}: ${what}`);
        return;
      }
    }
  } finally {
    abort.abort();
  }
}

async function taskOfRun(client: Client, runId: string): Promise<string> {
  for (const { taskId, events } of await client.taskJournals()) {
    if (events.some(({ event }) => (event.data as { next?: { runId: string } }).next?.runId === runId))
      return taskId;
  }
  throw new Error(`no task has the run ${runId}`);
}
