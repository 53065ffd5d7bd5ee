import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { everyCommand, openProgram } from '../../cli/program.ts';
import { environmentProblems } from '../../config/environment-problems.ts';
import { environmentVariables } from '../../config/environment.ts';
import { composeVariables } from '../../config/environment-warnings.ts';
import { parseCommandLine } from '../../schemas/command-line.ts';
import { readCompose } from '../compose/compose-file.ts';
import { root, textOf } from '../tree.ts';
import type { Block } from './blocks.ts';
import { recipeProblem } from './nats.ts';

/** Pieces of a line: a quoted text, whatever is not special, or what stands between two commands. */
const pieces = /'[^']*'|"(?:\\.|[^"\\])*"|&&|\|\|?|;|[^'"&|;]+/g;

/** The commands of a line, comments taken away. Throws an Error for a quote that is not closed. */
function commandsIn(line: string): string[] {
  const typed = line.replace(/(^|\s)#\s.*$/, '');
  const found = typed.match(pieces) ?? [];
  if (found.join('') !== typed) throw new Error(`a quote is not closed: ${line}`);
  const commands = [''];
  for (const piece of found)
    if (/^(&&|\|\|?|;)$/.test(piece)) commands.push('');
    else commands[commands.length - 1] += piece;
  return commands.map((command) => command.trim()).filter((command) => command !== '');
}

/** The commands of a block, one each. */
export function commandsOf({ text }: Block): string[] {
  return text
    .replaceAll(/\s*\\\n\s*/g, ' ')
    .split('\n')
    .flatMap(commandsIn);
}

/** Why our command would not take these words; nothing is started. */
function usageProblem(words: string[]): string | undefined {
  const program: Command = openProgram();
  for (const command of [program, ...everyCommand(program)])
    command.configureOutput({ writeOut() {}, writeErr() {} }).action(() => {});
  // A program that is given nothing shows its help; one that is given nonsense shall say so.
  program.action((_options, command: Command) => {
    if (command.args.length > 0) throw new Error(`unknown command '${command.args[0]}'`);
  });
  program.allowExcessArguments();
  try {
    program.parse(words, { from: 'user' });
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code === 'commander.helpDisplayed' || code === 'commander.version' ? undefined : message;
  }
}

function npmProblem([verb, ...words]: string[]): string | undefined {
  if (verb === 'start') return usageProblem(['up', '--demo', ...words.filter((word) => word !== '--')]);
  if (verb === 'ci') return undefined;
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
  const script = verb === 'run' ? words[0]! : verb!;
  return script in scripts ? undefined : `package.json has no script ${script}`;
}

function nodeProblem([file, ...words]: string[]): string | undefined {
  if (!file || !existsSync(join(root, file))) return `there is no ${file}`;
  const unknown = words.filter((word) => word.startsWith('--') && !textOf(file).includes(word.slice(2)));
  return unknown.length > 0 ? `${file} knows no ${unknown.join(' ')}` : undefined;
}

function dockerProblem([verb, ...words]: string[]): string | undefined {
  // Of `docker run` and images of others nothing is known here.
  if (verb !== 'compose') return verb === 'run' ? undefined : `nobody checks \`docker ${verb}\``;
  const after = (flag: string) => words.filter((_, place) => words[place - 1] === flag);
  const compose = readCompose('compose.yaml');
  const services = Object.keys(compose.services);
  const profiles = Object.values(compose.services).flatMap((one) => one.profiles ?? []);
  const problems = [
    ...after('--profile').filter((one) => !profiles.includes(one)),
    ...after('--file').filter((one) => !existsSync(join(root, one))),
    ...after('--scale')
      .map((one) => one.split('=')[0]!)
      .filter((one) => !services.includes(one)),
    ...after('exec').filter((one) => !services.includes(one)),
  ];
  if (problems.length > 0) return `compose.yaml has no ${problems.join(', ')}`;
  const ours = words.indexOf('switchyard');
  return ours < 0 ? undefined : usageProblem(words.slice(ours + 1));
}

/** Why a program would not take these words, as far as anybody here can tell. */
const programs: Record<string, (words: string[]) => string | undefined> = {
  './switchyard': usageProblem,
  npm: npmProblem,
  node: nodeProblem,
  docker: dockerProblem,
  nats: recipeProblem,
};
/** Programs of others, of whose words nothing is known here. */
const theirs = ['cd', 'chmod', 'git', 'grep', 'llama-server', 'ollama', 'openssl', 'touch', 'vllm'];

/** What is read here; the last is Node's own. */
const variables = [
  ...environmentVariables.map((one) => one.name),
  ...composeVariables,
  'NODE_EXTRA_CA_CERTS',
];

/** Why a line of a page would not be taken; nothing is started. */
export function commandProblem(line: string): string | undefined {
  const [, assignments = '', command = ''] = /^((?:(?:export )?[A-Z_0-9]+=\S* ?)*)(.*)$/.exec(line)!;
  const environment = Object.fromEntries(
    [...assignments.matchAll(/([A-Z_0-9]+)=(\S*)/g)].map(([, name, value]) => [name!, value!]),
  );
  const unknown = Object.keys(environment).filter((name) => !variables.includes(name));
  if (unknown.length > 0) return `nobody reads ${unknown.join(', ')}`;
  const [unusable] = environmentProblems(environment);
  if (unusable) return String(unusable);
  const program = command.split(' ')[0]!;
  if (program === '' || theirs.includes(program)) return undefined;
  if (!Object.hasOwn(programs, program)) return `nobody checks \`${program}\``;
  try {
    // The folders of whoever types are the one thing of a shell's that our pages use.
    const [, ...words] = parseCommandLine(command.replaceAll(/(?<= )~\/|"\$PWD"/g, '/home/me/'));
    return programs[program]!(words);
  } catch (error) {
    return (error as Error).message;
  }
}

/** The same of code within a text, which may name a command without all that it needs. */
export function mentionProblem(code: string): string | undefined {
  const [, program = '', words = ''] = /^(?:[A-Z_0-9]+=\S* )*(\S+) (.*)$/.exec(code) ?? [];
  if (program === 'nats' && /^(pub|req|sub)?$/.test(words)) return undefined;
  const problem = Object.hasOwn(programs, program) ? commandProblem(code) : undefined;
  return problem && /^(missing required argument|required option) '/.test(problem) ? undefined : problem;
}
