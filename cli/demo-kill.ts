import type { Client } from '../bus/client.ts';
import type { Launcher } from '../bus/launcher.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import type { DemoFault } from './demo.ts';
import { exitCodes } from './exit-codes.ts';
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
        if (data.given.process === coder.process) throw new Error('the process that was killed went on');
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

const patienceMs = 5000;

/** The exit code of a demo that ended with `code`: one that completed without its crash has not shown what it is there for. */
export async function codeAfterKill(code: number, isShown: Promise<boolean>, say: Say): Promise<number> {
  if (code !== exitCodes.done) return code;
  const given = new Promise<false>((resolve) => void setTimeout(resolve, patienceMs, false).unref());
  if (await Promise.race([isShown, given])) return code;
  say(
    'the demo completed, but the crash that it is to show did not happen: no coder was killed and replaced.',
  );
  say('  Run it again; if it stays so, ./switchyard doctor and ./switchyard logs latest may tell why.');
  return exitCodes.failure;
}
