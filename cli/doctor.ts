import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { cacheDirectoryOf } from '../bus/cache-directory.ts';
import { readCredential } from '../bus/credentials.ts';
import { findOnPath } from '../bus/program.ts';
import { brokerCredentials } from '../config/broker-credentials.ts';
import type { Config } from '../config/config.ts';
import { readRunningMesh } from '../config/running-mesh.ts';
import type { ModelDefinition } from '../config/model-options.ts';
import { modelFlagForms } from '../inference/model-flag.ts';
import { countText } from '../observability/wording.ts';
import { span, type Span } from '../observability/span.ts';
import { checkSandbox, checkSearch } from '../tools/check.ts';
import { checkJetStream, checkRunning, findServerHere } from './check-broker.ts';
import { checkDisk, checkGit, checkNode, checkNpm, checkPorts } from './check-machine.ts';
import { checkModels } from './check-models.ts';
import { missing, ok, warning, type Checked } from './checked.ts';
import { settingsOf } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { untilInterrupted } from './interrupts.ts';
import { modelOfFlag } from './model-of-flag.ts';
import { tableOf } from './table.ts';
import { verb } from './verb.ts';

interface Options {
  model?: string;
  models: boolean;
}

export function registerDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .summary('check what Switchyard needs')
    .description(
      'Checks Node.js, git, npm, nats-server and JetStream, disk, sandbox, search, ports and models, and prints what mends each thing that is missing. Fetches nothing and changes nothing; asking a model costs a few tokens. Exits 1 if something that is needed is missing.',
    )
    .option('--model <model>', `check this one: ${modelFlagForms}`)
    .option('--no-models', 'ask no model');
  verb<Options>(
    command,
    [
      ['doctor', 'check everything'],
      ['doctor --model ollama:qwen3-coder:30b', 'does this model answer, and how quickly?'],
      ['doctor --no-models --json', 'for a program, without asking a model'],
    ],
    async ({ options, environment, output }) => {
      const { stateDirectory, config, warnings } = settingsOf({ options, environment });
      const model = options.model === undefined ? undefined : modelOfFlag(options.model, environment);
      const checked = await untilInterrupted((signal) =>
        checkAll({ stateDirectory, config, environment, signal, model, asksModels: options.models }),
      );
      checked.push(...warnings.map(doubtful));
      const count = checked.filter((one) => one.state === 'missing').length;
      output.result({ ok: count === 0, checks: checked }, [
        ...tableOf(['', 'what', 'found'], checked.map(rowOf)),
        [],
        ...checked.flatMap((one) =>
          one.mend
            ? [[span(`${one.name}: `, one.state === 'missing' ? 'bad' : 'warn'), span(one.mend, 'accent')]]
            : [],
        ),
        [
          count === 0
            ? span('nothing that is needed is missing', 'good')
            : span(`${countText(count, 'thing')} missing`, 'bad'),
        ],
      ]);
      return count === 0 ? exitCodes.done : exitCodes.failure;
    },
  );
}

/** What the configuration says that may not be meant; what mends it stands in it. */
const doubtful = (found: string): Checked => ({ name: 'configuration', state: 'warning', found });

interface Surroundings {
  stateDirectory: string;
  config: Config;
  environment: Record<string, string | undefined>;
  signal: AbortSignal;
  model: ModelDefinition | undefined;
  asksModels: boolean;
}

async function checkAll(all: Surroundings): Promise<Checked[]> {
  const { stateDirectory, config, environment } = all;
  const mesh = readRunningMesh(stateDirectory);
  const here = await findServerHere(environment);
  const running = await checkMesh(all);
  const isUp = mesh !== undefined && running.state === 'ok';
  const needsOwnServer = config.mesh.url === undefined && here.server !== undefined && !isUp;
  const [git, npm, disk, sandbox, search, jetStream, ports, models] = await Promise.all([
    checkGit(),
    checkNpm(),
    checkDisk(stateDirectory),
    sandboxOf(config, environment),
    checkSearch(),
    needsOwnServer ? checkJetStream(here.server!) : undefined,
    checkPorts(config, mesh, isUp),
    all.asksModels ? checkModels(config, all.model, environment, all.signal) : [],
  ]);
  const searching = search.ok ? ok('search', search.found) : missing('search', search.found, search.mend!);
  return [
    checkNode(process.versions.node),
    git,
    npm,
    here.checked,
    ...(jetStream ? [jetStream] : []),
    running,
    ...disk,
    sandbox,
    searching,
    ports,
    ...models,
  ];
}

async function checkMesh({ stateDirectory, config }: Surroundings): Promise<Checked> {
  if (config.mesh.url !== undefined)
    return checkRunning(config.mesh.url, brokerCredentials(config.mesh), true);
  const mesh = readRunningMesh(stateDirectory);
  if (!mesh) return ok('mesh', 'none runs on this state folder: ./switchyard up starts one');
  const operator = await readCredential(stateDirectory, 'operator').catch(() => undefined);
  return checkRunning(mesh.url, operator && { user: 'operator', password: operator.password }, false);
}

/** Programs are refused where they cannot be held, unless the operator says otherwise. */
async function sandboxOf(config: Config, environment: Record<string, string | undefined>): Promise<Checked> {
  const [onPath] = await findOnPath('bwrap', environment['PATH'] ?? '');
  const bubblewrap = environment['SWITCHYARD_BWRAP'] || onPath || (await fetchedBubblewrap(environment));
  const checked = await checkSandbox(bubblewrap);
  if (checked.ok) return ok('sandbox', checked.found);
  if (config.tools.withoutSandbox === 'run')
    return warning('sandbox', `${checked.found}; programs run WITHOUT one, as configured`, checked.mend!);
  if (bubblewrap !== undefined) return missing('sandbox', checked.found, checked.mend!);
  return warning('sandbox', checked.found, `./switchyard up tries to fetch it; else ${checked.mend}`);
}

/** What `up` fetched before. */
async function fetchedBubblewrap(
  environment: Record<string, string | undefined>,
): Promise<string | undefined> {
  const shelf = join(cacheDirectoryOf(environment), 'debian');
  for (const suite of await readdir(shelf).catch(() => [])) {
    for (const version of await readdir(join(shelf, suite, 'bubblewrap')).catch(() => []))
      return join(shelf, suite, 'bubblewrap', version, 'usr/bin/bwrap');
  }
  return undefined;
}

function rowOf(one: Checked): Span[] {
  const marks = { ok: ['✓', 'good'], warning: ['!', 'warn'], missing: ['✗', 'bad'] } as const;
  const [mark, tone] = marks[one.state];
  return [span(mark, tone), span(one.name), span(one.found, one.state === 'ok' ? 'plain' : tone, 600)];
}
