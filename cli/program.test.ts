import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkoutRoot } from '../config/state.ts';
import { parseCommandLine } from '../schemas/command-line.ts';
import { commandPage, examplesOf, exitRows, leaves } from './document.ts';
import { exitCodes, exitMeanings } from './exit-codes.ts';
import { fullName, openProgram } from './program.ts';

const page = readFileSync(join(checkoutRoot, 'docs', 'cli.md'), 'utf8');
const names = leaves(openProgram()).map(fullName);

test('command line: every verb that was promised is there', () => {
  const promised =
    'up, start, submit, fix, watch, status, logs, obs, list, apply, cancel, pause, resume, answer, approve, replay, rebuild, dashboard, dead list, dead show, dead retry, doctor, healthy, credentials export, models list, models check, models pull, models bench, config init, config validate, config show, config allowed, version'.split(
      ', ',
    );
  expect(names.toSorted()).toEqual(promised.toSorted());
});

test('command line: the page is what the program says of itself', () => {
  expect(page, 'run: node cli/document.ts').toBe(commandPage());
});

test('command line: the page has a section for every verb, and for no other', () => {
  const sections = [...page.matchAll(/^## (.+)$/gm)].map(([, name]) => name!);
  expect(sections.slice(2)).toEqual(names);
});

test('command line: the page shows every exit code, and no other', () => {
  const shown = [...page.matchAll(/^\| (\d+) \| (.+) \|$/gm)].map(
    ([, code, meaning]) => `${code} ${meaning}`,
  );
  expect(shown).toEqual(exitRows().map((row) => row.slice(2, -2).replace(' | ', ' ')));
  expect(shown).toHaveLength(Object.keys(exitCodes).length);
});

test('command line: exit codes are the ones agreed on, each with a meaning', () => {
  expect(Object.values(exitCodes)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 130]);
  expect(Object.keys(exitMeanings)).toEqual(Object.keys(exitCodes));
});

test.each(names)('command line: %s has help with examples that it understands', async (name) => {
  const command = leaves(openProgram()).find((one) => fullName(one) === name)!;
  expect(command.description()).not.toBe('');
  const examples = examplesOf(command);
  expect(examples.length).toBeGreaterThan(0);
  for (const { line } of examples) {
    const [program, ...words] = parseCommandLine(line);
    expect(program).toBe('./switchyard');
    expect(words.join(' ')).toMatch(new RegExp(`^${name}( |$)`));
    const understood: string[] = [];
    const trial = openProgram();
    // Everything but the work itself: arguments and options are read and checked.
    for (const leaf of leaves(trial)) leaf.action(() => void understood.push(fullName(leaf)));
    await trial.parseAsync(['node', 'switchyard', ...words]);
    expect(understood, line).toEqual([name]);
  }
});

test('command line: the three global options are taken before and behind a verb', async () => {
  for (const words of [
    ['--state', '/s', '--config', '/c', '--json', 'list'],
    ['list', '--state', '/s', '--config', '/c', '--json'],
    ['dead', 'list', '--state', '/s', '--config', '/c', '--json'],
  ]) {
    const program = openProgram();
    let seen: unknown;
    for (const leaf of leaves(program)) leaf.action(() => void (seen = leaf.optsWithGlobals()));
    await program.parseAsync(['node', 'switchyard', ...words]);
    expect(seen).toMatchObject({ state: '/s', config: '/c', json: true });
  }
});
