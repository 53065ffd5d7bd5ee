import { expect, test } from 'vitest';
import { blocksOf } from './pages/blocks.ts';
import { sources } from './pages/sources.ts';
import { ownFiles, textOf } from './tree.ts';

const index = 'docs/models/README.md';
const pages = ownFiles('docs/models/*.md').filter((path) => path !== index);
test('model pages: there are some, and the list of them is whole', () => {
  expect(pages.length).toBeGreaterThan(3);
  for (const path of pages) expect(textOf(index)).toContain(`](${path.split('/').at(-1)})`);
});

test.each(pages)('%s: has an example of what to write', (path) => {
  // That it is right is seen where all blocks are looked at.
  expect(
    blocksOf(path).filter(({ language, text }) => language === 'yaml' && /^models:/m.test(text)),
  ).not.toEqual([]);
});

/** Replies written beforehand have no provider. */
const ofProviders = pages.filter((path) => path !== 'docs/models/scripted.md');
test.each(ofProviders)('%s: says what to set, what one sees and what goes wrong', (path) => {
  const headings = [...textOf(path).matchAll(/^## (.*)$/gm)].map((match) => match[1]);
  expect(headings).toEqual(expect.arrayContaining(['What to set', 'What you see', 'What goes wrong']));
});

/** The messages in the first column under "What goes wrong", which have several words; `…` stands for what differs. */
const messagesOf = (path: string) =>
  textOf(path)
    .split('## What goes wrong')[1]!
    .split(/^## /m)[0]!
    .split('\n')
    .flatMap((line) => /^\| `([^`]+ [^`]+)`/.exec(line)?.[1] ?? []);

/** What a message says in any case: names of variables and statuses differ too. */
const partsOf = (message: string) =>
  message
    .replaceAll(/\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b|\b[45]\d\d\b\)?/g, '…')
    .split('…')
    .map((part) => part.trim());

test.each([...pages, 'docs/gpu-worker.md'])('%s: what it says we say, we say', (path) => {
  const messages = messagesOf(path);
  expect(messages.length).toBeGreaterThan(2);
  const unknown = messages.filter((message) => !partsOf(message).every((part) => sources.includes(part)));
  expect(unknown).toEqual([]);
});
