import type { Command } from 'commander';
import { connect, type Bus } from '../bus/connect.ts';
import { readCredential } from '../bus/credentials.ts';
import { probe } from '../bus/holder.ts';
import { identifyProcess } from '../bus/process-identity.ts';
import { brokerCredentials } from '../config/broker-credentials.ts';
import type { Config } from '../config/config.ts';
import type { MeshFile } from '../config/mesh-file.ts';
import { readRunningMesh } from '../config/running-mesh.ts';
import { span } from '../observability/span.ts';
import { holderSubject, streamNames } from '../schemas/subject.ts';
import { settingsOf } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { userOf } from './find-mesh.ts';
import { reachBrokerAs } from './mesh.ts';
import { readStarted, type Started } from './started.ts';
import { verb } from './verb.ts';

const patienceMs = 3000;

export function registerHealthy(program: Command): void {
  const command = program
    .command('healthy')
    .summary('whether what was started here answers; for health checks')
    .description(
      'Asks what `up` or `start` runs on this host with this state folder whether it works: the broker for its record, the page for itself, and each process, by way of the broker, for a word. Exit code 0 when all of them answer, else 1 or 6 with what does not.',
    );
  verb(
    command,
    [
      ['healthy', 'what runs on the usual state folder'],
      ['healthy --state /state', 'another one'],
    ],
    async ({ options, environment, output }) => {
      const { stateDirectory, config } = settingsOf({ options, environment });
      const mesh = readRunningMesh(stateDirectory);
      const healthy = mesh
        ? await checkMesh(mesh, config, stateDirectory)
        : await checkStarted(readStarted(stateDirectory), config, stateDirectory);
      output.result({ healthy }, [[span('healthy', 'good'), span(`: ${healthy.join(', ')}`)]]);
      return exitCodes.done;
    },
  );
}

/** The broker's record can be read, the page is served, and every process that `up` keeps is there. */
async function checkMesh(mesh: MeshFile, config: Config, stateDirectory: string): Promise<string[]> {
  const { password } = await readCredential(stateDirectory, 'operator');
  const user = brokerCredentials(config.mesh) ?? { user: 'operator', password };
  const bus = await connect(mesh.url, 'healthy', user, patienceMs);
  try {
    await bus.manager.streams.info(streamNames(mesh.namespace).events);
  } finally {
    await bus.connection.close();
  }
  const gone = mesh.processes.filter(({ pid, startedAt }) => {
    const found = identifyProcess(pid)?.startedAt;
    return found === undefined || (startedAt !== undefined && found !== startedAt);
  });
  if (gone.length > 0)
    throw new CommandError(gone.map(({ name, pid }) => `the ${name} (pid ${pid}) is gone`));
  const names = mesh.processes.map(({ name }) => name);
  const { page } = mesh.ports;
  if (page === undefined) return names;
  const answer = await fetch(`http://127.0.0.1:${page}/`, { signal: AbortSignal.timeout(patienceMs) }).catch(
    (error: unknown) => {
      throw new CommandError(`the page does not answer on port ${page}: ${String(error)}`);
    },
  );
  await answer.body?.cancel();
  if (!answer.ok) throw new CommandError(`the page answers on port ${page} with status ${answer.status}`);
  return [...names, 'page'];
}

/** Each process answers, by way of the broker, as other processes ask it whether it lives. */
async function checkStarted(started: Started[], config: Config, stateDirectory: string): Promise<string[]> {
  if (started.length === 0)
    throw new CommandError(
      `nothing that was started on ${stateDirectory} runs on this host`,
      './switchyard up, or ./switchyard start ROLE where it is to join a mesh',
    );
  const healthy: string[] = [];
  for (const one of started) {
    if (one.processes.length === 0) throw new CommandError(`the ${one.program} is being started again`);
    const bus = await reachBrokerAs(userOf(one.program), config, stateDirectory, one.url);
    try {
      for (const process of one.processes) healthy.push(await answering(bus, config, process));
    } finally {
      await bus.connection.close();
    }
  }
  return healthy;
}

async function answering(bus: Bus, config: Config, process: string): Promise<string> {
  const holder = await probe(bus, holderSubject(config.mesh.namespace, process), '', patienceMs);
  if (holder === 'gone') throw new CommandError(`${process} is not connected to the broker`);
  if (holder === 'silent') throw new CommandError(`${process} did not answer within ${patienceMs} ms`);
  return process;
}
