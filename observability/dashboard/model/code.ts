import { parse, type ParseOptions, type TokenType } from 'sugar-high/core';
import * as c from 'sugar-high/lang/c';
import * as css from 'sugar-high/lang/css';
import * as go from 'sugar-high/lang/go';
import * as html from 'sugar-high/lang/html';
import * as java from 'sugar-high/lang/java';
import * as javascript from 'sugar-high/lang/javascript';
import * as json from 'sugar-high/lang/json';
import * as python from 'sugar-high/lang/python';
import * as ruby from 'sugar-high/lang/ruby';
import * as rust from 'sugar-high/lang/rust';
import * as shell from 'sugar-high/lang/shell';
import * as sql from 'sugar-high/lang/sql';
import * as toml from 'sugar-high/lang/toml';
import * as typescript from 'sugar-high/lang/typescript';
import * as yaml from 'sugar-high/lang/yaml';

export type Colour = 'keyword' | 'string' | 'value' | 'comment';
/** A part of a line that has a colour: from, to. */
export type Coloured = [from: number, to: number, colour: Colour];

/** Names stay plain: where everything has a colour, nothing stands out. */
const colours: Partial<Record<TokenType, Colour>> = {
  keyword: 'keyword',
  string: 'string',
  class: 'value',
  comment: 'comment',
};

/** By the ending of a file's name; of what is not here nothing is known. */
const languages = new Map<string, ParseOptions>(
  (
    [
      [c, 'c h cc cpp hpp'],
      [css, 'css'],
      [go, 'go'],
      [html, 'html svg xml'],
      [java, 'java'],
      [javascript, 'js mjs cjs jsx'],
      [json, 'json jsonc'],
      [python, 'py pyi'],
      [ruby, 'rb'],
      [rust, 'rs'],
      [shell, 'sh bash'],
      [sql, 'sql'],
      [toml, 'toml'],
      [typescript, 'ts mts cts tsx'],
      [yaml, 'yaml yml'],
    ] as [ParseOptions, string][]
  ).flatMap(([language, endings]) => endings.split(' ').map((ending) => [ending, language] as const)),
);

/** Longer text stays plain: colours are not worth a page that stands still. Characters. */
const mostText = 100_000;
const mostLine = 2000;

/** The colours of each of the lines, which belong together; none of what is unknown or too long. `file`: its name. */
export function coloursOf(lines: readonly string[], file: string): Coloured[][] {
  const language = languages.get(/\.(\w+)$/.exec(file)?.[1]?.toLowerCase() ?? '');
  const length = lines.reduce((sum, line) => sum + line.length + 1, 0);
  if (!language || length > mostText || lines.some((line) => line.length > mostLine))
    return lines.map(() => []);
  // A part that begins within a comment does not say so, but its lines begin with a star.
  const head = /^\s*\*(\s|\/|$)/.test(lines[0] ?? '') ? ['/*'] : [];
  const whole = parse([...head, ...lines, end].join('\n'), language).lines;
  // Where a string is still open at the end it is an apostrophe that is none, and all that follows it is wrong.
  const isLost = whole.at(-1)?.tokens[0]?.type === 'string';
  return lines.map((line, index) => {
    const read = isLost ? parse(line, language).lines[0] : whole[head.length + index];
    // The text is always ours; whoever reads it otherwise has no say in its colours.
    return read?.value === line ? coloursOfLine(read.tokens) : [];
  });
}

const end = 'end';

function coloursOfLine(tokens: readonly { type: TokenType; value: string }[]): Coloured[] {
  const found: Coloured[] = [];
  let at = 0;
  for (const { type, value } of tokens) {
    const colour = colours[type];
    const last = found.at(-1);
    if (colour && last?.[1] === at && last[2] === colour) last[1] += value.length;
    else if (colour && value !== '') found.push([at, at + value.length, colour]);
    at += value.length;
  }
  return found;
}
