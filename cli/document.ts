import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { checkoutRoot } from '../config/state.ts';
import { exitCodes, exitMeanings, type ExitName } from './exit-codes.ts';
import { everyCommand, fullName, openProgram } from './program.ts';

/** The text of docs/cli.md: every verb with its options and examples, and the exit codes, as the program has them. */
export function commandPage(): string {
  const program = openProgram();
  return [
    '# The command line',
    '',
    'This page is generated from the program itself by `node cli/document.ts`.',
    '',
    '`./switchyard`, at the root of the checkout, works from any folder and through links. The result goes to standard',
    'output, everything else to standard error. `--json` prints the result as one JSON document; a verb that follows',
    'something prints JSON lines, and the last one is the one `{"result": ...}`. An error is `{"error": ...}`. Colours are',
    'for terminals only, and never where `NO_COLOR` is set.',
    '',
    'A task is named by its id, by the start of it as long as that is unique, or by `latest`.',
    '',
    '## Exit codes',
    '',
    '| code | meaning |',
    '| --- | --- |',
    ...exitRows(),
    '',
    '## Options of every verb',
    '',
    ...optionTable(program.options),
    ...leaves(program).flatMap((command) => section(command)),
  ].join('\n');
}

/** The exit codes as the page shows them. */
export function exitRows(): string[] {
  return (Object.keys(exitCodes) as ExitName[]).map(
    (name) => `| ${exitCodes[name]} | ${cell(exitMeanings[name])} |`,
  );
}

/** What can be typed: commands that have none below them. */
export function leaves(program: Command): Command[] {
  return everyCommand(program).filter((one) => one.commands.length === 0);
}

/** What a verb's help gives as examples: as they are typed, and what for. */
export function examplesOf(command: Command): { line: string; meaning: string }[] {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  const [, examples = ''] = help.split(/^Examples:$/m);
  return examples.split('\n').flatMap((line) => {
    const [typed = '', meaning = ''] = line.trim().split(/ {2,}/);
    return typed.startsWith('./switchyard') ? [{ line: typed, meaning }] : [];
  });
}

function section(command: Command): string[] {
  const name = fullName(command);
  const usage = `./switchyard ${name} ${command.usage()}`.trimEnd();
  const details = command.registeredArguments.filter((one) => one.description !== '');
  return [
    `## ${name}`,
    '',
    command.description(),
    '',
    '```',
    usage,
    '```',
    '',
    ...details.map(
      (one) =>
        `- \`${one.name()}\`: ${one.description}${one.defaultValue === undefined ? '' : ` (left out: \`${String(one.defaultValue)}\`)`}`,
    ),
    ...(details.length > 0 ? [''] : []),
    ...(command.options.length > 0 ? optionTable(command.options) : []),
    '```sh',
    ...examplesOf(command).map(({ line, meaning }) => (meaning ? `${line}  # ${meaning}` : line)),
    '```',
    '',
  ];
}

function optionTable(options: readonly Option[]): string[] {
  const rows = options
    .filter((one) => !one.hidden)
    .map((one) => `| \`${one.flags}\` | ${cell(meaningOf(one))} |`);
  return ['| option | meaning |', '| --- | --- |', ...rows, ''];
}

function meaningOf(option: Option): string {
  const choices = option.argChoices
    ? `; one of ${option.argChoices.map((one) => `\`${one}\``).join(', ')}`
    : '';
  const needed = option.mandatory ? ' (required)' : '';
  const standard =
    option.defaultValue === undefined || typeof option.defaultValue === 'boolean'
      ? ''
      : ` (left out: \`${String(option.defaultValue)}\`)`;
  return `${option.description}${choices}${needed}${standard}`;
}

const cell = (text: string) => text.replaceAll('|', '\\|');

if (import.meta.main) writeFileSync(join(checkoutRoot, 'docs', 'cli.md'), commandPage());
