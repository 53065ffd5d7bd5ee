import type { Command } from 'commander';
import { identifyProcess } from '../bus/process-identity.ts';
import { readModelFile, removeReadModel } from '../config/read-model-file.ts';
import { readRunningMesh } from '../config/running-mesh.ts';
import { resolveStateDirectory } from '../config/state.ts';
import { querySubject } from '../observability/query.ts';
import { span } from '../observability/span.ts';
import { countText } from '../observability/wording.ts';
import type { QueryReply } from '../schemas/query.ts';
import { streamNames } from '../schemas/subject.ts';
import { withMesh, type Connection } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { verb } from './verb.ts';

const limitMs = 10 * 60_000;
const lookMs = 100;

export function registerRebuild(program: Command): void {
  const command = program
    .command('rebuild')
    .summary('build the read model anew from the record')
    .description(
      'Forgets what the observer knows of the record and reads it again from the first event on. Nothing is lost by it: the record is what counts. Without a running mesh it happens at the next start.',
    );
  verb(command, [['rebuild', 'when the page and the record seem to differ']], async (call) => {
    const { options, environment, output } = call;
    const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
    const mesh = readRunningMesh(stateDirectory);
    if (!mesh) {
      removeReadModel(readModelFile(stateDirectory));
      output.result({ rebuilt: false }, [
        [
          span('the read model is taken away; the next '),
          span('./switchyard up', 'accent'),
          span(' builds it'),
        ],
      ]);
      return exitCodes.done;
    }
    const observer = mesh.processes.find((one) => one.name === 'observer');
    if (!observer || (observer.startedAt && identifyProcess(observer.pid)?.startedAt !== observer.startedAt))
      throw new CommandError(
        'this mesh has no observer now',
        'one that died is started anew within moments; one with --once or --broker-only has none',
      );
    return withMesh(call, async (connection) => {
      const before = await ask(connection);
      const beganAtMs = performance.now();
      process.kill(observer.pid, 'SIGHUP');
      const { events } = await rebuilt(connection, before.record);
      const tookMs = Math.round(performance.now() - beganAtMs);
      output.result({ rebuilt: true, events, durationMs: tookMs }, [
        [span('built anew', 'good'), span(`: ${countText(events, 'event')} in ${tookMs} ms`)],
      ]);
      return exitCodes.done;
    });
  });
}

async function ask({ client, namespace }: Connection): Promise<QueryReply<'totals'>> {
  const answer = await client.bus.connection.request(querySubject(namespace, 'totals'), '{}', {
    timeout: 10_000,
  });
  const problem = answer.headers?.get('Nats-Service-Error');
  if (problem) throw new CommandError(`the observer does not answer: ${problem}`);
  return answer.json<QueryReply<'totals'>>();
}

async function rebuilt(connection: Connection, before: string): Promise<QueryReply<'totals'>> {
  const { client, namespace } = connection;
  const info = await client.bus.manager.streams.info(streamNames(namespace).events);
  const until = performance.now() + limitMs;
  while (performance.now() < until) {
    const totals = await ask(connection);
    if (totals.record !== before && totals.position >= info.state.last_seq) return totals;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  throw new CommandError('it is not built yet', 'it goes on in the background: ./switchyard status');
}
