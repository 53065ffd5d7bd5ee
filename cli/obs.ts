import { Argument, Option, type Command } from 'commander';
import { readCredential } from '../bus/credentials.ts';
import { openLog } from '../bus/log.ts';
import { openModes } from '../bus/modes.ts';
import { openSigner } from '../bus/signature.ts';
import { span, type Span } from '../observability/span.ts';
import { durationText } from '../observability/wording.ts';
import { windowFor, type Mode, type ModeWindow } from '../schemas/observed.ts';
import { roles } from '../schemas/row.ts';
import { readDuration } from './amount.ts';
import { withMesh, type Connection } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { verb } from './verb.ts';

const standardMs = 5 * 60_000;

export function registerObs(program: Command): void {
  const command = program
    .command('obs')
    .summary('what the processes let out: spans alone, or logs and metrics too')
    .description(
      'Shows or switches the mode of observation while the mesh runs. shipping: spans alone are exported, the local log has one line a decision. debug: logs in full and metrics are exported too, for a time; then it falls back by itself. A crash has the processes of its role debugged for five minutes, which debug for less does not cut short; shipping does.',
    )
    .addArgument(
      new Argument('[mode]', 'shipping or debug; left out: what holds now').choices(['shipping', 'debug']),
    )
    .option('--for <time>', 'how long debug lasts (5m where it is left out)', readDuration)
    .addOption(new Option('--role <role>', 'only the processes of this role').choices([...roles, 'observer']))
    .option('--process <process>', 'only this process, as `status` names it');
  verb<{ for?: number; role?: string; process?: string }>(
    command,
    [
      ['obs', 'what holds now'],
      ['obs debug --for 5m', 'logs in full and metrics of the whole mesh, for five minutes'],
      ['obs debug --role coder', 'the same of the coders alone'],
      ['obs shipping', 'back to spans alone, at once'],
    ],
    ({ options, environment, output }, mode) =>
      withMesh({ options, environment }, async (mesh) => {
        const { role, process, for: forMs } = options;
        if (role !== undefined && process !== undefined)
          throw usage('--role and --process name two things', './switchyard obs debug --role coder');
        if (mode !== 'debug' && forMs !== undefined)
          throw usage('--for is for debug', './switchyard obs debug --for 5m');
        if (mode === 'debug' && process !== undefined) await requireAlive(mesh, process);
        const modes = openModes(await optionsOf(mesh));
        if (mode !== undefined) {
          await modes.set({
            mode: mode as Mode,
            ...(mode === 'debug' ? { untilMs: Date.now() + (forMs ?? standardMs) } : {}),
            ...(role === undefined ? {} : { role }),
            ...(process === undefined ? {} : { process }),
          });
        }
        const windows = await modes.windows();
        const whole = windowFor(windows.filter(isForAll), { role: '', process: '' }, Date.now());
        const result = { mode: whole?.mode ?? 'shipping', isSwitched: whole !== undefined, windows };
        output.result(result, linesOf(result.mode, result.isSwitched, windows, Date.now()));
        return exitCodes.done;
      }),
  );
}

const isForAll = ({ role, process }: ModeWindow) => role === undefined && process === undefined;
const usage = (problem: string, mend: string) => new CommandError(problem, mend, exitCodes.usage);

/** A process that is no more is never debugged, and one that is not yet has no name. */
async function requireAlive({ client }: Connection, process: string): Promise<void> {
  const living = await client.living();
  if (living.some((one) => one.process === process)) return;
  throw new CommandError(`no process that is alive is called "${process}"`, './switchyard status');
}

async function optionsOf({ client, namespace, stateDirectory }: Connection) {
  const { privateKey } = await readCredential(stateDirectory, 'operator');
  return { bus: client.bus, namespace, log: openLog('obs', 'silent'), sign: openSigner(privateKey) };
}

function linesOf(mode: Mode, isSwitched: boolean, windows: ModeWindow[], nowMs: number): Span[][] {
  return [
    [
      span('the mesh: '),
      span(mode, mode === 'debug' ? 'warn' : 'good'),
      span(mode === 'debug' ? ' (logs in full and metrics leave too)' : ' (spans alone leave)', 'dim'),
      // What a process was started with is its own: the mesh does not know it.
      span(
        isSwitched ? '' : '; a process started with OBS_MODE=debug is debugged for its first five minutes',
        'dim',
      ),
    ],
    ...windows
      .filter((one) => one.mode === 'debug' || !isForAll(one))
      .map((one) => [
        span(`  ${one.process ?? one.role ?? 'every process'}: `, 'accent'),
        span(one.mode, one.mode === 'debug' ? 'warn' : 'good'),
        span(one.untilMs === undefined ? '' : `, for ${durationText(one.untilMs - nowMs)} more`),
        ...(one.why === undefined ? [] : [span(`: ${one.why}`, 'dim')]),
      ]),
  ];
}
