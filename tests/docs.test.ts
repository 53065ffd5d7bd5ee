import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { everyCommand, openProgram } from '../cli/program.ts';
import { parseCommandLine } from '../schemas/command-line.ts';
import { ownFiles, root, textOf } from './tree.ts';

/** What we publish for people to read. */
const pages = ['README.md', ...ownFiles('docs/**/*.md')];
const at = (path: string, index: number, text: string) =>
  `${path}:${text.slice(0, index).split('\n').length}`;

/** The command lines of the `sh` blocks of a page, one each, comments taken away. */
export function commandsOf(path: string, text: string): { place: string; line: string }[] {
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap((block) =>
    block[1]!
      .replaceAll(/\s*\\\n\s*/g, ' ')
      .split('\n')
      .flatMap((line) => line.replace(/(^|\s)#\s.*$/, '').split(/\s(?:&&|\|\|?|;)\s/))
      .map((line) => ({ place: at(path, block.index, text), line: line.trim() }))
      .filter(({ line }) => line !== ''),
  );
}

/** Why our command would not take this line; nothing is started. */
export function usageProblem(words: string[]): string | undefined {
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

function commandProblem(line: string): string | undefined {
  // Of the commands of others (git, nats) nothing is known here.
  if (!/^(\.\/switchyard|npm|node)\b/.test(line)) return undefined;
  let argv: string[];
  try {
    // A shell's home is the one thing of a shell's that our pages use.
    argv = parseCommandLine(line.replaceAll(' ~/', ' /home/me/'));
  } catch (error) {
    return (error as Error).message;
  }
  const [program, ...words] = argv;
  if (program === './switchyard') return usageProblem(words);
  if (program === 'npm' && words[0] === 'start')
    return usageProblem(['up', '--demo', ...words.slice(1).filter((word) => word !== '--')]);
  if (program === 'npm' && words[0] === 'run') {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
    return words[1]! in scripts ? undefined : `package.json has no script ${words[1]}`;
  }
  if (program === 'node' && !words[0]!.startsWith('-'))
    return existsSync(join(root, words[0]!)) ? undefined : `there is no ${words[0]}`;
  return undefined;
}

test('docs: a wrong command line is found, and a right one taken', () => {
  expect(commandProblem('./switchyard frobnicate')).toContain('frobnicate');
  expect(commandProblem('./switchyard status --frobnicate')).toContain('--frobnicate');
  expect(commandProblem('./switchyard status something else')).toBeDefined();
  expect(commandProblem('./switchyard dead frobnicate')).toBeDefined();
  expect(commandProblem('npm start -- --frobnicate')).toContain('--frobnicate');
  expect(commandProblem('npm run frobnicate')).toContain('frobnicate');
  expect(commandProblem('node tests/frobnicate.ts')).toContain('frobnicate');
  expect(commandProblem('./switchyard')).toBeUndefined();
  expect(commandProblem('./switchyard --help')).toBeUndefined();
  expect(commandProblem('./switchyard fix ../app --test "npm test" --json')).toBeUndefined();
  expect(commandProblem('npm start -- --once')).toBeUndefined();
  const page = 'x\n```sh\n./switchyard one \\\n  --two # three\ncd x && npm test\n```\n';
  expect(commandsOf('page.md', page).map(({ line }) => line)).toEqual([
    './switchyard one --two',
    'cd x',
    'npm test',
  ]);
});

test('docs: every command line in a shell block is one that we take', () => {
  const commands = pages.flatMap((path) => commandsOf(path, textOf(path)));
  expect(commands.filter(({ line }) => line.startsWith('./switchyard')).length).toBeGreaterThan(5);
  const problems = commands.flatMap(({ place, line }) => {
    const problem = commandProblem(line);
    return problem === undefined ? [] : [`${place}: ${line}: ${problem}`];
  });
  expect(problems).toEqual([]);
});

test('docs: every command that a page or a message names is there', () => {
  const verbs = new Set(everyCommand(openProgram()).map((one) => one.name()));
  const files = [...pages, ...ownFiles('{agents,bus,cli,config,inference,router,schemas,tools}/**/*.ts')];
  const problems = files.flatMap((path) => {
    const text = textOf(path);
    return [...text.matchAll(/`?\.\/switchyard ([a-z][a-z-]*)/g)].flatMap((match) =>
      // Only in backticks it is a command; otherwise it may go on in words.
      !match[0].startsWith('`') || verbs.has(match[1]!)
        ? []
        : [`${at(path, match.index, text)}: ${match[0]}`],
    );
  });
  expect(problems).toEqual([]);
});

const withoutCode = (text: string) =>
  text.replaceAll(/^```[\s\S]*?^```/gm, (block) => block.replaceAll(/[^\n]/g, ' '));
const linksOf = (text: string) =>
  [...withoutCode(text).matchAll(/\]\((?<target>[^)\s]+)(?:\s+"[^"]*")?\)/g)].map((match) => ({
    index: match.index,
    target: match.groups!['target']!,
  }));
const isElsewhere = (target: string) => /^[a-z]+:/.test(target);
/** The anchor that a heading gets on GitHub. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
const anchorsOf = (text: string) =>
  [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1]!));
const pathOf = (from: string, target: string) =>
  posix.normalize(posix.join(posix.dirname(from), decodeURI(target.split('#')[0]!)));

test('docs: every link leads somewhere', () => {
  let count = 0;
  const problems = pages.flatMap((path) => {
    const text = textOf(path);
    return linksOf(text).flatMap(({ index, target }) => {
      if (isElsewhere(target)) return [];
      count += 1;
      const [, anchor] = target.split('#');
      const file = target.startsWith('#') ? path : pathOf(path, target);
      if (!existsSync(join(root, file))) return [`${at(path, index, text)}: there is no ${file}`];
      if (anchor === undefined || !file.endsWith('.md') || anchorsOf(textOf(file)).includes(anchor))
        return [];
      return [`${at(path, index, text)}: ${file} has no heading #${anchor}`];
    });
  });
  expect(count).toBeGreaterThan(4);
  expect(problems).toEqual([]);
});

test('docs: every page can be reached from the README', () => {
  const reached = new Set(['README.md']);
  for (const path of reached)
    for (const { target } of linksOf(textOf(path))) {
      const file = isElsewhere(target) || target.startsWith('#') ? undefined : pathOf(path, target);
      if (file?.endsWith('.md') && existsSync(join(root, file))) reached.add(file);
    }
  expect(pages.filter((path) => !reached.has(path))).toEqual([]);
});

test('docs: every file of ours that a page names is there', () => {
  const rooms = [
    'agents',
    'bus',
    'cli',
    'config',
    'docs',
    'inference',
    'observability',
    'router',
    'schemas',
    'setup',
    'tests',
    'tools',
  ];
  const named = new RegExp(
    `\`(?:node )?((?:${rooms.join('|')})/[\\w*./-]+\\.(?:ts|mjs|json|yaml|md))\``,
    'g',
  );
  const problems = pages.flatMap((path) => {
    const text = textOf(path);
    return [...text.matchAll(named)].flatMap((match) =>
      globSync(match[1]!, { cwd: root }).length > 0
        ? []
        : [`${at(path, match.index, text)}: there is no ${match[1]}`],
    );
  });
  expect(problems).toEqual([]);
});

/** Places that are one machine's, or one registry's: what is cloned must work elsewhere. */
const forbidden = [
  /\/work\/(main|shared)\b/,
  /\/tmp\/brief\b/,
  /\/root\/(?!\.ssh)/,
  // In halves, so that this file may stand among the others.
  new RegExp(
    `registry\\.${'npmjs'}|deb\\.${'debian'}\\.org|proxy\\.${'golang'}|sum\\.${'golang'}|pypi\\.${'org'}`,
  ),
];

test('docs: no file names a machine or a package registry', () => {
  const files = ownFiles('**/*.{ts,mjs,md,json,yaml,yml,svg}', '*', '.*', '.ci/*').filter(
    (path) => !path.startsWith('.env'),
  );
  expect(files.length).toBeGreaterThan(250);
  const problems = files.flatMap((path) => {
    const text = readable(path);
    return forbidden.flatMap((pattern) => {
      const match = pattern.exec(text);
      return match ? [`${at(path, match.index, text)}: ${match[0]}`] : [];
    });
  });
  expect(problems).toEqual([]);
});

function readable(path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    // A folder.
    return '';
  }
}
