import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { expect, test } from 'vitest';
import { everyCommand, openProgram } from '../cli/program.ts';
import { blockProblem } from './pages/block-problem.ts';
import { at, blocksOf, inlineCodeOf, pages, withoutBlocks } from './pages/blocks.ts';
import { commandProblem, commandsOf, mentionProblem } from './pages/shell.ts';
import { ownFiles, root, textOf } from './tree.ts';

test('docs: a wrong command line is found, and a right one taken', () => {
  expect(commandProblem('./switchyard frobnicate')).toContain('frobnicate');
  expect(commandProblem('./switchyard status --frobnicate')).toContain('--frobnicate');
  expect(commandProblem('./switchyard status something else')).toBeDefined();
  expect(commandProblem('./switchyard dead frobnicate')).toBeDefined();
  expect(commandProblem('npm start -- --frobnicate')).toContain('--frobnicate');
  expect(commandProblem('npm run frobnicate')).toContain('frobnicate');
  expect(commandProblem('npm frobnicate')).toContain('frobnicate');
  expect(commandProblem('node tests/frobnicate.ts')).toContain('frobnicate');
  expect(commandProblem('node setup/gpu-worker.mjs --frobnicate')).toContain('--frobnicate');
  expect(commandProblem('docker compose exec frobnicate ls')).toContain('frobnicate');
  expect(commandProblem('docker compose --profile frobnicate up')).toContain('frobnicate');
  expect(commandProblem('docker compose up --scale frobnicate=2')).toContain('frobnicate');
  expect(commandProblem('docker compose exec broker switchyard frobnicate')).toContain('frobnicate');
  expect(commandProblem('FROBNICATE=1 ./switchyard up')).toContain('FROBNICATE');
  expect(commandProblem('OTEL_TRACES_EXPORTER=nowhere npm start')).toContain('nowhere');
  expect(commandProblem('frobnicate now')).toBe('nobody checks `frobnicate`');
  expect(commandProblem('./switchyard')).toBeUndefined();
  expect(commandProblem('./switchyard --help')).toBeUndefined();
  expect(commandProblem('./switchyard fix ../app --test "npm test" --json')).toBeUndefined();
  expect(commandProblem('npm start -- --once')).toBeUndefined();
  expect(mentionProblem('./switchyard cancel')).toBeUndefined();
  expect(mentionProblem('./switchyard cancel --frobnicate')).toContain('--frobnicate');
});

test('docs: a recipe for `nats` that would not work as it stands is found', () => {
  const problem = (recipe: string) => commandProblem(`nats --context switchyard ${recipe}`);
  const body = '{"repository": "/path"}';
  expect(commandProblem(`nats req yard.query.totals '{}'`)).toContain('--context switchyard');
  expect(problem(`pub yard.submit '{"repo": "/path"}'`)).toContain('"repo"');
  expect(problem(`pub yard.submit '{"repository"'`)).toContain('JSON');
  expect(problem(`pub yard.submitted '${body}'`)).toBe('the operator may not say yard.submitted');
  expect(problem(`pub yard.tasks.submit '${body}'`)).toContain('asked by req');
  expect(problem(`req yard.submit '${body}'`)).toContain('nobody answers');
  expect(problem(`req yard.query.frobnicate '{}'`)).toBe('the contract has no yard.query.frobnicate');
  expect(problem(`req yard.query.tasks '{"stat": "running"}'`)).toContain('additional properties');
  expect(problem(`req yard.query.tasks`)).toBe('req takes 2 words');
  expect(problem(`sub 'other.event.>'`)).toContain('may not hear');
  expect(problem(`sub 'yard.events.>'`)).toContain('nothing is said');
  expect(problem(`sub --frobnicate 'yard.event.>'`)).toContain('--frobnicate');
  expect(problem('frobnicate')).toContain('nobody checks');
  expect(problem(`pub yard.submit '${body}'`)).toBeUndefined();
});

const block = (language: string, text: string, page = 'page.md') => ({ page, line: 1, language, text });

test('docs: every block of a page is seen, and its lines', () => {
  const page =
    'x\n```sh\n./switchyard one \\\n  --two # three\ncd x && npm test\n```\n- y\n\n  ~~~\n  z\n  ~~~\n';
  const [shell, other] = blocksOf('page.md', page);
  expect(commandsOf(shell!)).toEqual(['./switchyard one --two', 'cd x', 'npm test']);
  expect(commandsOf(block('sh', `grep -h '"a|b"' x | grep y; echo "c && d"`))).toHaveLength(3);
  expect(() => commandsOf(block('sh', `echo 'it`))).toThrow('not closed');
  expect(other).toEqual({ page: 'page.md', line: 9, language: '', text: 'z\n' });
  expect(() => blocksOf('page.md', '```sh\nnpm test\n')).toThrow('page.md:1');
  expect(inlineCodeOf('page.md', '```\n`a`\n```\nx `b\nc` y')).toEqual([{ place: 'page.md:4', code: 'b c' }]);
});

test.each([
  ['no language that is known', block('javascript', 'let x;'), 'nobody checks a block of javascript'],
  ['no usage', block('', './switchyard frobnicate [options]\n'), 'the usage of no verb'],
  ['a command', block('sh', 'cd x && ./switchyard frobnicate\n'), 'frobnicate'],
  ['no JSON', block('json', '{'), 'JSON'],
  ['no message', block('json', '{"specversion": "1.0"}'), 'type'],
  ['an option', block('yaml', 'mesh: { frobnicate: 1 }\n'), 'frobnicate'],
  ['no YAML', block('yaml', 'mesh: {\n'), '}'],
  ['an absent model', block('yaml', 'roles: { coder: { models: [large] } }\n'), 'large'],
  ['a scene', block('yaml', '- role: coder\n  reply: []\n'), 'reply'],
  [
    'a pipeline',
    block('yaml', 'receivers: {}\nservice: { pipelines: { logs: { receivers: [otlp] } } }\n'),
    'otlp',
  ],
  ['a type', block('mermaid', 'flowchart LR\n  a -- run.begin --> b\n'), 'run.begin'],
  ['a line of a task', block('text', '+0.0s ▸ manager   taken: Make the tests pass\n'), 'does not show'],
  [
    'a line of a log',
    block('text', '15:12:32.168 INFO  router.fdea2753    route.made  id=1\n'),
    'route.made',
  ],
  ['a message', block('text', 'applied to .../app: slow-forward, now at 1d68870b\n'), 'slow-forward'],
])('docs: a block is found that has wrong: %s', (_, wrong, problem) => {
  expect(blockProblem(wrong)).toContain(problem);
});

test.each(pages)('%s: every block is checked, and holds', (page) => {
  const problems = blocksOf(page).flatMap((one) => {
    const problem = blockProblem(one);
    return problem === undefined ? [] : [`${page}:${one.line}: ${problem}`];
  });
  expect(problems).toEqual([]);
});

test.each(pages)('%s: every command that its text names is one that we take', (page) => {
  const problems = inlineCodeOf(page).flatMap(({ place, code }) => {
    const problem = mentionProblem(code);
    return problem === undefined ? [] : [`${place}: ${code}: ${problem}`];
  });
  expect(problems).toEqual([]);
});

test('docs: every command that a message names is there', () => {
  const verbs = new Set(everyCommand(openProgram()).map((one) => one.name()));
  const files = ownFiles('{agents,bus,cli,config,inference,router,schemas,tools}/**/*.ts');
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

const linksOf = (text: string) =>
  [...withoutBlocks(text).matchAll(/\]\((?<target>[^)\s]+)(?:\s+"[^"]*")?\)/g)].map((match) => ({
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
  [...withoutBlocks(text).matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1]!));
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
    'deploy',
    'docs',
    'gpu-worker',
    'inference',
    'observability',
    'replay',
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
