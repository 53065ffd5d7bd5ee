import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { withOwnNames } from '../config/found-entries.ts';
import { initialConfig, type FoundModel } from '../config/init-file.ts';
import { resolveStateDirectory } from '../config/state.ts';
import { span, type Span } from '../observability/span.ts';
import { countText } from '../observability/wording.ts';
import { lookAround, type FoundSource } from './config-found.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { ggufPlaces } from './gguf-files.ts';
import { verb } from './verb.ts';

interface Options {
  force?: boolean;
  yes?: boolean;
  look: boolean;
}

export function registerConfigInit(config: Command): void {
  verb<Options>(
    config
      .command('init')
      .summary('look for models and write a commented switchyard.yaml')
      .description(
        'Looks for Ollama, LiteLLM, keys in the environment, GGUF files and a graphics card, and writes a switchyard.yaml with the models that you choose in force, and roles that fit them; on a terminal it asks. Every other option is there as a comment that shows its default. Of a key only the name of its variable is written.',
      )
      .option('--yes', 'take all that is found, without asking')
      .option('--no-look', 'look for nothing: every option as a comment')
      .option('--force', 'in place of a file that is there'),
    [
      ['config init', 'beside the state folder'],
      ['config init --yes', 'all that is found, without a question'],
      ['config init --config ./switchyard.yaml', 'at a place of your choice'],
    ],
    async ({ options, environment, output }) => {
      const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
      const named = options.config || environment['SWITCHYARD_CONFIG'];
      const file = named ? resolve(named) : join(dirname(stateDirectory), 'switchyard.yaml');
      requireFree(file, options.force === true);
      const places = ggufPlaces(environment, stateDirectory, process.cwd());
      const sources = options.look ? await lookAround({ environment, places }) : [];
      output.progress(foundLines(sources));
      const asks = process.stdin.isTTY && process.stderr.isTTY && !options.yes && !output.isJson;
      const chosen = asks ? await choose(sources, askTerminal) : sources.flatMap((one) => one.models);
      const models = withOwnNames(chosen);
      const notes = sources.flatMap((one) => (one.note === undefined ? [] : [one.note]));
      write(file, initialConfig(models, notes));
      const same = options.config === undefined ? '' : ` --config ${options.config}`;
      output.result({ file, models: models.map(({ name, options: entry }) => ({ name, ...entry })), notes }, [
        [span('wrote ', 'good'), span(file), span(` with ${countText(models.length, 'model')}`)],
        [span('  check it: ', 'dim'), span(`./switchyard config validate${same}`, 'accent')],
        ...(models.length === 0
          ? []
          : [[span('  ask each a word: ', 'dim'), span(`./switchyard models check${same}`, 'accent')]]),
      ]);
      return exitCodes.done;
    },
  );
}

function requireFree(file: string, isForced: boolean): void {
  if (existsSync(file) && !isForced)
    throw new CommandError(`${file} is there already`, 'edit it, or write it anew with --force');
}

function foundLines(sources: FoundSource[]): Span[][] {
  if (sources.length === 0) return [[span('found no models around here', 'dim')]];
  return sources.map(({ what, models, note }) => {
    if (models.length === 0) return [span('found ', 'dim'), span(note ?? what)];
    const names = models.map((one) => one.name).join(', ');
    return [span('found ', 'dim'), span(`${what}: `), span(names, 'accent', 300)];
  });
}

/** Asks a question, and gives back the line that was typed. */
export type AskLine = (question: string) => Promise<string>;

/** Asks of each source which of its models are to be used: Enter is all, `0` none, else their numbers. */
export async function choose(sources: FoundSource[], ask: AskLine): Promise<FoundModel[]> {
  const chosen: FoundModel[] = [];
  for (const { what, models } of sources) {
    if (models.length === 0) continue;
    const list = models.map((one, place) => `  ${place + 1}  ${one.name}`).join('\n');
    const question = `\n${what}\n${list}\nUse which? Enter: all, 0: none, or numbers such as 1 3: `;
    const again = `That is none of these. Numbers from 1 to ${models.length}, 0 for none, or Enter for all: `;
    let places = placesOf(await ask(question), models.length);
    while (places === undefined) places = placesOf(await ask(again), models.length);
    chosen.push(...places.map((place) => models[place]!));
  }
  return chosen;
}

/** Places from 0 on; undefined where the answer is none. */
function placesOf(answer: string, count: number): number[] | undefined {
  const words = answer
    .trim()
    .split(/[\s,]+/)
    .filter(Boolean);
  if (words.length === 0 || /^(a|all|y|yes)$/i.test(words[0]!))
    return Array.from({ length: count }, (_, place) => place);
  if (/^(0|n|no|none)$/i.test(words[0]!)) return [];
  const numbers = words.map(Number);
  if (numbers.some((number) => !Number.isInteger(number) || number < 1 || number > count)) return undefined;
  return [...new Set(numbers)].map((number) => number - 1);
}

async function askTerminal(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const told = Promise.withResolvers<string>();
  terminal.once('SIGINT', () =>
    told.reject(new CommandError('nothing was written', undefined, exitCodes.interrupted)),
  );
  terminal.once('close', () =>
    told.reject(new CommandError('the input ended, and nothing was written', 'take all with --yes')),
  );
  void terminal.question(question).then(told.resolve, told.reject);
  try {
    return await told.promise;
  } finally {
    terminal.close();
  }
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (failure) {
    const reasons: Record<string, string> = {
      ENOENT: 'its folder is not there',
      EACCES: 'this user may not write there',
      EROFS: 'what it lies on is read-only',
      ENOTDIR: 'what is named as its folder is none',
      EISDIR: 'it is a folder',
    };
    const reason = reasons[(failure as NodeJS.ErrnoException).code ?? ''];
    if (reason === undefined) throw failure;
    throw new CommandError(`${file} cannot be written: ${reason}`, 'name another file with --config FILE');
  }
}
