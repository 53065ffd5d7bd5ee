import { ownFiles, textOf } from '../tree.ts';

/** What we publish for people to read. */
export const pages = ['README.md', ...ownFiles('docs/**/*.md')];

/** Code that a page shows: all between two fences. */
export interface Block {
  page: string;
  /** The line of the opening fence, from 1. */
  line: number;
  /** What stands behind the opening fence; empty where nothing does. */
  language: string;
  text: string;
}

/** `page:line` of a place in a page's text. */
export const at = (page: string, index: number, text: string): string =>
  `${page}:${text.slice(0, index).split('\n').length}`;

/** Every fenced block of a page, also one within a list. Throws an Error for a fence that is not closed. */
export function blocksOf(page: string, text: string = textOf(page)): Block[] {
  const blocks: Block[] = [];
  let open: (Block & { fence: string; indent: string }) | undefined;
  for (const [place, line] of text.split('\n').entries()) {
    const [, indent = '', fence = '', language = ''] = /^(\s*)(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
    if (!open) {
      if (fence) open = { page, line: place + 1, language: language.trim(), text: '', fence, indent };
    } else if (fence === open.fence && language === '') {
      const { fence: _, indent: __, ...block } = open;
      blocks.push(block);
      open = undefined;
    } else open.text += `${line.startsWith(open.indent) ? line.slice(open.indent.length) : line}\n`;
  }
  if (open) throw new Error(`${page}:${open.line}: this block is not closed`);
  return blocks;
}

/** A page without its blocks: every line is where it was. */
export const withoutBlocks = (text: string): string =>
  text.replaceAll(/^[ \t]*(`{3,}|~{3,})[\s\S]*?^[ \t]*\1[ \t]*$/gm, (block) =>
    block.replaceAll(/[^\n]/g, ' '),
  );

/** What stands between backticks in the text of a page, on one line. */
export function inlineCodeOf(page: string, text: string = textOf(page)): { place: string; code: string }[] {
  const prose = withoutBlocks(text);
  return [...prose.matchAll(/(?<!`)`([^`]+)`(?!`)/g)].map((match) => ({
    place: at(page, match.index, prose),
    code: match[1]!.replaceAll(/\s+/g, ' '),
  }));
}
