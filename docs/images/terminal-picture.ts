import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Draws docs/images/demo.svg: `node docs/images/terminal-picture.ts` runs the demo on a terminal (the program `script`
 * gives it one) and sets what it printed, colours and all, as text in a picture.
 */
const columns = 150;
const lineHeight = 19;
const characterWidth = 7.8;
const colours: Record<string, string> = {
  '31': '#ff7b72',
  '32': '#7ee787',
  '33': '#e3b341',
  '36': '#79c0ff',
};
const plain = '#e6edf3';

interface Piece {
  text: string;
  colour: string;
  isDim: boolean;
}

const root = join(import.meta.dirname, '../..');
const state = mkdtempSync(join(tmpdir(), 'switchyard-picture-'));
const shown = spawnSync(
  'script',
  ['-qec', `${join(root, 'switchyard')} --state ${state} up --demo --once`, '/dev/null'],
  {
    encoding: 'utf8',
    env: { ...process.env, COLUMNS: String(columns), NO_COLOR: '' },
  },
);
rmSync(state, { recursive: true, force: true });
if (shown.status !== 0)
  throw new Error(`the demo did not complete (exit code ${shown.status}):\n${shown.stdout}`);

const lines = shown.stdout
  // As it looks with the standard state folder.
  .replaceAll(`--state ${state} `, '')
  .replaceAll(state, '~/.switchyard')
  .replaceAll('\r', '')
  .split('\n')
  .flatMap((line) => wrap(pieces(line)));
while (lines.at(-1)?.every((piece) => piece.text.trim() === '')) lines.pop();
writeFileSync(join(root, 'docs/images/demo.svg'), svg(lines));

function pieces(line: string): Piece[] {
  const found: Piece[] = [];
  let colour = plain;
  let isDim = false;
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    const code = /^\u001b\[([0-9;]*)m$/.exec(part)?.[1];
    if (code === undefined) {
      if (part !== '') found.push({ text: part, colour, isDim });
    } else if (code === '2') isDim = true;
    else if (code === '22') isDim = false;
    else colour = colours[code] ?? plain;
  }
  return found;
}

function wrap(line: Piece[]): Piece[][] {
  const rows: Piece[][] = [[]];
  let used = 0;
  for (const piece of line) {
    let { text } = piece;
    while (used + text.length > columns) {
      rows.at(-1)!.push({ ...piece, text: text.slice(0, columns - used) });
      text = text.slice(columns - used);
      rows.push([]);
      used = 0;
    }
    rows.at(-1)!.push({ ...piece, text });
    used += text.length;
  }
  return rows;
}

function svg(rows: Piece[][]): string {
  const width = Math.ceil(columns * characterWidth + 40);
  const height = rows.length * lineHeight + 40;
  const escape = (text: string) =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const text = rows.map((row, place) => {
    const spans = row.map(
      (piece) =>
        `<tspan fill="${piece.colour}"${piece.isDim ? ' opacity="0.65"' : ''}>${escape(piece.text)}</tspan>`,
    );
    return `<text x="20" y="${34 + place * lineHeight}" xml:space="preserve">${spans.join('')}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13">`,
    '<title>What the demo prints</title>',
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    ...text,
    '</svg>',
    '',
  ].join('\n');
}
