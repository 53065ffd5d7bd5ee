import type { Command } from 'commander';
import { logsDirectory } from '../config/state.ts';
import { span, type Span, type Tone } from '../observability/span.ts';
import { settingsOf } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { untilInterrupted } from './interrupts.ts';
import type { Output } from './output.ts';
import { readTaskId } from './task-id.ts';
import { openTaskLogs, type LogLine } from './task-logs.ts';
import { verb } from './verb.ts';

const lookMs = 300;

export function registerLogs(program: Command): void {
  const command = program
    .command('logs')
    .summary('what the processes logged about a task')
    .description(
      "Shows the lines of all processes' logs about a task, in the order of their times. It reads the state folder alone, so it works without a running mesh; what ran on other hosts stands in their folders.",
    )
    .argument('[task]', 'its id, the start of it, or `latest`', 'latest')
    .option('--follow', 'also the lines that come, until Ctrl-C');
  verb<{ follow?: boolean }>(
    command,
    [
      ['logs', 'the newest task'],
      ['logs 3f1c --follow', 'as it goes on'],
      ['logs latest --json', 'as JSON lines; the last line is the result'],
    ],
    async ({ options, environment, output }, given) => {
      const { stateDirectory } = settingsOf({ options, environment });
      const logs = openTaskLogs(logsDirectory(stateDirectory));
      const taskId = await readTaskId(given!, () => logs.tasks());
      let lines = show(await logs.linesOf(taskId), output);
      if (options.follow === true)
        await untilInterrupted(async (signal) => {
          while (!signal.aborted) {
            await new Promise((resolve) => setTimeout(resolve, lookMs));
            lines += show(await logs.linesOf(taskId), output);
          }
        });
      output.lastResult({ taskId, lines }, lines === 0 ? `no log tells of the task ${taskId}` : []);
      return exitCodes.done;
    },
  );
}

function show(lines: LogLine[], output: Output): number {
  for (const line of lines) {
    const { atMs, level, name, text, fields } = line;
    output.entry({ atMs, level, name, text, ...fields }, [spansOf(line)]);
  }
  return lines.length;
}

const levels: [least: number, word: string, tone: Tone][] = [
  [50, 'ERROR', 'bad'],
  [40, 'WARN ', 'warn'],
  [30, 'INFO ', 'good'],
  [0, 'DEBUG', 'dim'],
];

/** What every line of a task says again and again. */
const leftOut = new Set(['task', 'trace', 'journal', 'event']);

function spansOf({ atMs, level, name, text, fields }: LogLine): Span[] {
  const [, word, tone] = levels.find(([least]) => level >= least)!;
  const rest = Object.entries(fields)
    .filter(([key]) => !leftOut.has(key))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [
    span(`${new Date(atMs).toISOString().slice(11, 23)} `, 'dim'),
    span(word, tone),
    span(` ${name.padEnd(18)} `, 'accent'),
    span(text),
    span(rest.length > 0 ? `  ${rest.join(' ')}` : '', 'dim', 2000),
  ];
}
