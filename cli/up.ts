import { resolve } from 'node:path';
import type { Command } from 'commander';
import { v4 } from 'uuid';
import { openClient } from '../bus/client.ts';
import { identifyProcess } from '../bus/process-identity.ts';
import { readCredential, readPublicKeys } from '../bus/credentials.ts';
import type { Launcher } from '../bus/launcher.ts';
import { brokerCredentials } from '../config/broker-credentials.ts';
import type { Config } from '../config/config.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import { readJoined } from '../config/joined.ts';
import { loadConfigAndWarnings } from '../config/load.ts';
import { removeMeshFile, writeMeshFile } from '../config/mesh-file.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { keepOverrides } from '../config/overrides.ts';
import { createStateDirectory, resolveStateDirectory } from '../config/state.ts';
import { lockStateDirectory, type StateLock } from '../config/state-lock.ts';
import { packageVersion } from '../config/membership.ts';
import { modelFlagForms } from '../inference/model-flag.ts';
import type { Role } from '../schemas/row.ts';
import { demoFault, demoOverrides, hasOnlyDemoReplies, makeDemoRepository } from './demo.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { findSandbox, sayDemoUnheld, sayUnheld } from './find-sandbox.ts';
import { runFirstTask } from './first-task.ts';
import { readGoal, readText } from './given-text.ts';
import { requireLlama, startWorkers } from './gpu-worker.ts';
import { openInterrupts } from './interrupts.ts';
import { keepBroker } from './keep-broker.ts';
import { openOutput, withState } from './output.ts';
import { requireModelFiles } from './model-files.ts';
import { openBroker, openRoles, type Broker, type Say } from './mesh.ts';
import { removeNatsContext, writeNatsContext } from './nats-context.ts';
import { answerObserver, hasPage, looksOn, pagePortFor, startObserver } from './observer.ts';
import { unattendedOption } from './submission.ts';
import { stopRoles } from './stop-roles.ts';
import { readKilled, reportKilled } from './unclean-start.ts';
import { warningLines } from './warning-lines.ts';
import {
  allowNamed,
  checkModels,
  overridesOf,
  requireModels,
  requireTask,
  type UpOptions,
} from './up-options.ts';

const startOrder: Role[] = ['manager', 'router', 'inference', 'coder', 'reviewer', 'planner', 'tester'];

export function registerUp(program: Command): void {
  program
    .command('up')
    .summary('start the mesh: broker and all roles')
    .description(
      'Starts a nats-server with JetStream and the roles as separate processes, and keeps them up until Ctrl-C.',
    )
    .option('--demo', 'run the demo task, with replies that were written beforehand')
    .option('--once', 'end when the task has ended; exit 0 only if it completed')
    .option('--broker-only', 'start the broker and its streams, but no role')
    .option('--repo <dir>', 'a git repository to work on; allows it', readText)
    .option('--goal <text>', 'what is wanted; left out: that the tests pass', readGoal)
    .option('--test <command>', 'how to test; allows this command', readText)
    .option('--setup <command>', 'makes a fresh worktree ready, with network; allows this command', readText)
    .option('--plan', 'let the planner divide the goal into work items first; else it is one item')
    .option(...unattendedOption)
    .option('--model <model>', `one for every role: ${modelFlagForms}`)
    .option('--port <port>', 'port of the broker on loopback; left out: a free one')
    .option('--no-dashboard', 'serve no page, and let no browser connect to the broker')
    .option('--durability <what>', 'power (each write is synced) or process (faster)')
    .addHelpText(
      'after',
      [
        '',
        'Examples:',
        '  ./switchyard up                                    a mesh, waiting for tasks',
        '  ./switchyard up --demo --once                      the demo, then exit',
        '  ./switchyard up --repo . --test "npm test" --model ollama:qwen3-coder',
      ].join('\n'),
    )
    .action(async (options: UpOptions, command: Command) => {
      process.exitCode = await up({ ...command.optsWithGlobals<UpOptions>(), ...options }, process.env);
    });
}

/** Runs a mesh until it is told to stop, or until its task has ended; resolves with the exit code. */
async function up(options: UpOptions, environment: Record<string, string | undefined>): Promise<number> {
  const output = openOutput(options.json === true, {
    out: process.stdout,
    error: process.stderr,
    environment,
    stateDirectory: options.state,
  });
  const say: Say = (line) => output.progress(line);
  const beganAtMs = Date.now();
  const isDemo = options.demo === true && options.repo === undefined && options.model === undefined;
  requireTask(options, isDemo);
  const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
  refuseJoined(stateDirectory);
  createStateDirectory(stateDirectory);
  const lock = lockFor(stateDirectory);
  const closing: (() => Promise<void> | void)[] = [() => lock.release()];
  const interrupts = openInterrupts();
  try {
    const repository = isDemo ? makeDemoRepository(stateDirectory) : allowNamed(options, stateDirectory);
    const overrides = isDemo
      ? { ...overridesOf(options, environment), ...demoOverrides(repository!) }
      : overridesOf(options, environment);
    const loaded = loadConfigAndWarnings({ file: options.config, stateDirectory, environment, overrides });
    const { config } = loaded;
    if (options.brokerOnly !== true) {
      output.progress(warningLines(loaded.warnings));
      await requireModelFiles(loaded);
      if (hasLlama(config)) await requireLlama(say);
      if (repository !== undefined) requireModels(config, options.plan === true);
      const code = await Promise.race([checkModels(config, environment, say), interrupts.first]);
      if (code !== undefined) return code;
    }
    // Not before: a model that was refused would be among the models of every later command.
    keepOverrides(stateDirectory, overrides);
    // What is asked of the configuration after the demo is asked of the person's own.
    if (isDemo) closing.push(() => keepOverrides(stateDirectory, {}));

    const finding = options.brokerOnly ? Promise.resolve(undefined) : findSandbox(environment, say);
    finding.catch(() => {});
    const pagePort = await pagePortFor(options, config, stateDirectory);
    const broker = await openBroker(config, stateDirectory, environment, say, pagePort);
    closing.push(
      () => broker.server?.stop(),
      () => broker.bus.connection.close().catch(() => {}),
    );
    // Before the file is written anew, and before anybody starts in their place.
    await reportKilled(
      { bus: broker.bus, namespace: config.mesh.namespace, stateDirectory },
      readKilled(stateDirectory),
    );
    const sandbox = await finding;
    if (sandbox && !sandbox.ok && isDemo) {
      sayDemoUnheld(say, sandbox);
      keepOverrides(stateDirectory, { ...overrides, tools: { withoutSandbox: 'run' } });
    } else if (sandbox) sayUnheld(say, sandbox, config.tools.withoutSandbox);
    const requestId = v4();
    const fault = isDemo ? demoFault(requestId) : undefined;
    const launcher = openRoles({
      config,
      stateDirectory,
      environment,
      bus: broker.bus,
      bubblewrap: sandbox?.bubblewrap,
      configFile: options.config,
      ...(fault ? { faults: { coder: fault.fault } } : {}),
      answer: answerObserver(broker),
      // Whoever is answered by a process may look for it in the file at once.
      onStart: () => recording.look(),
      onDeath: (child, how) => {
        if (fault && how.includes('SIGKILL')) return;
        const article = /^[aeiou]/.test(child.program) ? 'an' : 'a';
        say(
          `${article} ${child.program} (pid ${child.pid}) ${how}; another takes its place. Its log: ${child.logFile}`,
        );
      },
    });
    // Ctrl-C reaches every process of the terminal, and some end of it before they are told to.
    void interrupts.first.then(() => launcher.expectEnds());
    closing.push(() => stopRoles(launcher, interrupts, say));
    const record = () =>
      recordMesh(config, stateDirectory, broker, pagePort, launcher, beganAtMs, options.config);
    record();
    closing.push(() => removeMeshFile(stateDirectory));
    const recording = keepRecorded(
      () => [broker.server?.pid, ...launcher.children().flatMap((one) => [one.pid, one.process])],
      record,
    );
    closing.push(() => recording.stop());
    const keeper = keepBroker(broker, say, record);
    closing.push(() => keeper.stop());
    const operator = await readCredential(stateDirectory, 'operator');
    const user = brokerCredentials(config.mesh) ?? { user: 'operator', password: operator.password };
    const context = writeNatsContext(
      { name: config.mesh.name, url: broker.url, stateDirectory, ...user },
      environment,
    );
    closing.push(() => removeNatsContext(context, environment));
    if (options.brokerOnly !== true) {
      const code = await Promise.race([startRoles(config, launcher), interrupts.first]);
      if (code !== undefined) return code;
    }
    record();
    const roles = options.brokerOnly ? 'no role yet' : `${launcher.children().length} role processes`;
    say(
      `the mesh "${config.mesh.name}" is up after ${((Date.now() - beganAtMs) / 1000).toFixed(1)} s: nats-server ${broker.version} at ${broker.url}, ${roles}`,
    );
    // The first task does not wait for who looks on.
    if (looksOn(options, environment)) {
      const looking = startObserver({
        launcher,
        broker,
        pagePort,
        pageListen: config.mesh.page?.listen,
        stateDirectory,
        say,
      });
      // One that is told to stop before it serves would send nothing.
      if (options.once) closing.push(() => looking);
    }

    const client = await openClient(
      broker.url,
      config.mesh.namespace,
      user,
      await readPublicKeys(stateDirectory),
    );
    closing.push(() => client.close());
    if (repository !== undefined) {
      const ended = runFirstTask({ options, isDemo, repository, requestId, client, launcher, fault, output });
      const over = Promise.race([interrupts.first, keeper.ended]);
      const code = await Promise.race([ended, over]);
      if (options.once || (await isSettled(over))) return code;
    }
    sayHowToUse(say, context, config, options);
    return await Promise.race([interrupts.first, keeper.ended]);
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}

/** The folder of a host that joined a mesh holds keys that a mesh of its own would make anew. */
function refuseJoined(stateDirectory: string): void {
  const joined = readJoined(stateDirectory);
  if (joined === undefined) return;
  throw new CommandError(
    `${stateDirectory} was made to join the mesh "${joined.name}" at ${joined.url}; a mesh of its own needs another folder`,
    './switchyard start ROLE, or another folder with --state DIR',
    exitCodes.usage,
  );
}

/** That another mesh has the folder is no wrong usage. */
function lockFor(stateDirectory: string): StateLock {
  try {
    return lockStateDirectory(stateDirectory);
  } catch (error) {
    throw error instanceof ConfigurationError ? new CommandError(error.problems) : error;
  }
}

const hasLlama = (config: Config) =>
  modelDefinitions(config.models).some((model) => model.backend === 'llama' && model.workers !== 0);

async function startRoles(config: Config, launcher: Launcher): Promise<void> {
  await Promise.all([
    ...startOrder.flatMap((role) =>
      Array.from({ length: config.processes[role] }, () => launcher.start(role)),
    ),
    startWorkers(config, launcher),
  ]);
}

function recordMesh(
  config: Config,
  stateDirectory: string,
  broker: Broker,
  pagePort: number | undefined,
  launcher: Launcher,
  startedAtMs: number,
  configFile: string | undefined,
): void {
  const of = (name: string, pid: number) => {
    const identity = identifyProcess(pid);
    return { name, pid, ...(identity ? { startedAt: identity.startedAt } : {}) };
  };
  writeMeshFile(stateDirectory, {
    name: config.mesh.name,
    namespace: config.mesh.namespace,
    ...(configFile ? { configFile: resolve(configFile) } : {}),
    url: broker.url,
    ports: { ...broker.ports, ...(pagePort === undefined ? {} : { page: pagePort }) },
    processes: [
      of('up', process.pid),
      ...(broker.server ? [of('nats-server', broker.server.pid)] : []),
      ...launcher.children().map((child) => ({
        ...of(child.program, child.pid),
        ...(child.process === undefined ? {} : { process: child.process }),
      })),
    ],
    startedAtMs,
  });
}

/** Says anew who runs, once a process serves or one that died was replaced; a person may look for one by it. */
function keepRecorded(pids: () => unknown[], record: () => void): { look(): void; stop(): void } {
  let said = pids().join();
  let isOver = false;
  const look = () => {
    if (isOver) return;
    const now = pids().join();
    if (now === said) return;
    try {
      record();
      said = now;
    } catch {
      // A full disk; it is tried again.
    }
  };
  const looking = setInterval(look, 1000);
  return {
    look,
    stop: () => {
      isOver = true;
      clearInterval(looking);
    },
  };
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

function sayHowToUse(say: Say, context: string, config: Config, options: UpOptions): void {
  const isDemoOnly = hasOnlyDemoReplies(config);
  const lines = [
    ...(isDemoOnly ? [] : [['./switchyard fix DIR --test "npm test"', 'work on a repository of yours']]),
    ['./switchyard status', 'who is alive and what runs'],
    ...(hasPage(options, config)
      ? [['./switchyard dashboard', 'another link to the page that shows all this']]
      : []),
    ['./switchyard start coder', 'one more coder takes its share'],
    [`nats --context ${context} sub '${config.mesh.namespace}.event.>'`, 'everything, live'],
  ] as [string, string][];
  const lengthOf = (command: string) => withState(command, options.state).length;
  const width = Math.max(...lines.map(([command]) => lengthOf(command))) + 4;
  say('');
  if (modelDefinitions(config.models).length === 0 && options.brokerOnly !== true) {
    say('no model is configured, so only the demo can run: a task would wait until there is one.');
    say(`  start it with one: ./switchyard up --model ${modelFlagForms}, or models in switchyard.yaml`);
  }
  if (isDemoOnly) {
    say("this mesh has only the demo's scripted replies. To work on a repository of yours, end it and start");
    say(`  ./switchyard up --model ${modelFlagForms}`);
  }
  say(`the mesh stays up until Ctrl-C (switchyard ${packageVersion()}). In another terminal:`);
  for (const [command, meaning] of lines)
    say(`  ${command}${' '.repeat(width - lengthOf(command))}${meaning}`);
}
