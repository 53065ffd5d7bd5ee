import { Command, type CommanderError } from 'commander';
import { packageVersion } from '../config/membership.ts';
import { registerAnswer } from './answer.ts';
import { registerApply } from './apply.ts';
import { registerApprove } from './approve.ts';
import { registerCancel } from './cancel.ts';
import { registerConfig } from './config.ts';
import { registerCredentials } from './credentials.ts';
import { registerDashboard } from './dashboard.ts';
import { registerDead } from './dead.ts';
import { registerDoctor } from './doctor.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { registerFix } from './fix.ts';
import { registerHealthy } from './healthy.ts';
import { registerList } from './list.ts';
import { registerLogs } from './logs.ts';
import { registerModels } from './models.ts';
import { registerObs } from './obs.ts';
import { registerPause } from './pause.ts';
import { registerRebuild } from './rebuild.ts';
import { registerReplay } from './replay.ts';
import { registerResume } from './resume.ts';
import { registerStart } from './start.ts';
import { registerStatus } from './status.ts';
import { registerSubmit } from './submit.ts';
import { registerUp } from './up.ts';
import { withExamples } from './verb.ts';
import { registerVersion } from './version.ts';
import { registerWatch } from './watch.ts';

/** In the order in which help shows them: what one begins with first. */
const verbs = [
  registerUp,
  registerStart,
  registerFix,
  registerSubmit,
  registerWatch,
  registerDashboard,
  registerList,
  registerStatus,
  registerLogs,
  registerObs,
  registerApply,
  registerCancel,
  registerPause,
  registerResume,
  registerAnswer,
  registerApprove,
  registerReplay,
  registerRebuild,
  registerDead,
  registerDoctor,
  registerHealthy,
  registerCredentials,
  registerModels,
  registerConfig,
  registerVersion,
];

/** The whole command line. It exits nowhere: errors are thrown, the exit code is left in `process.exitCode`. */
export function openProgram(): Command {
  const program = new Command('switchyard')
    .description('Runs coding agents as ordinary event-driven services on NATS JetStream.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .option(
      '--state <dir>',
      'folder with all that the mesh keeps (else SWITCHYARD_STATE, else .switchyard in the checkout)',
    )
    .option(
      '--config <file>',
      'the configuration file (else SWITCHYARD_CONFIG, else switchyard.yaml beside the state folder)',
    )
    .option('--json', 'the result as JSON on standard output')
    .helpOption('-h, --help', 'show help')
    .showSuggestionAfterError()
    // Errors are thrown, and shown as all others are.
    .configureOutput({ outputError: () => {} })
    .configureHelp({ showGlobalOptions: true });
  withExamples(program, [
    ['up --demo', 'see it work, with replies that were written beforehand'],
    ['fix . --test "npm test"', 'work on a repository of yours, with the running mesh'],
    ['doctor', 'is everything there that is needed?'],
  ]);
  for (const register of verbs) register(program);
  for (const command of [program, ...everyCommand(program)])
    command.exitOverride((error) => throwUsage(error, command)).configureHelp({ showGlobalOptions: true });
  return program;
}

/** A value that was given and is far too long to be said again. */
const longArgument = / argument '([^]{80})[^]{40,}' is invalid/;

/** Every command throws rather than exits. Help and the version are no error, and go on as they are. */
function throwUsage(error: CommanderError, command: Command): never {
  if (error.exitCode === 0) throw error;
  // Commander shows the help where a command is missing, and has no word for it.
  const problem =
    error.code === 'commander.help'
      ? 'no command was named'
      : error.message
          .replace(/^error: /, '')
          .replace(/^command-argument value /, 'argument ')
          .replace(longArgument, " argument '$1…' is invalid");
  const help = ['./switchyard', fullName(command), '--help'].filter(Boolean).join(' ');
  throw new CommandError(problem, help, exitCodes.usage);
}

/** All commands below one, at any depth; `help` is left out. */
export function everyCommand(parent: Command): Command[] {
  return parent.commands.filter((one) => one.name() !== 'help').flatMap((one) => [one, ...everyCommand(one)]);
}

/** `dead list`: how a command is typed. */
export function fullName(command: Command): string {
  const names: string[] = [];
  for (let one: Command | null = command; one?.parent; one = one.parent) names.unshift(one.name());
  return names.join(' ');
}
