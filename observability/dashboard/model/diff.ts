import { coloursOf, type Colour, type Coloured } from './code.ts';

/** One line of a unified diff. `number`: in the file after the change, or before it for what is taken away. */
export interface DiffLine {
  kind: 'file' | 'hunk' | 'same' | 'added' | 'removed' | 'note';
  text: string;
  number?: number;
  /** The parts that differ from the line it replaces: from, to. */
  changed?: [number, number][];
  colours?: Coloured[];
}

/** A part of a line that looks the same from its beginning to its end. */
export interface Piece {
  text: string;
  colour?: Colour | undefined;
  isChanged: boolean;
}

/** A unified diff, line by line, with what differs within replaced lines and the colours of its code. */
export function diffLines(diff: string): DiffLine[] {
  const lines: DiffLine[] = [];
  let before = 0;
  let after = 0;
  let isInHunk = false;
  for (const text of diff.replace(/\n$/, '').split('\n')) {
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(text);
    if (hunk) {
      before = Number(hunk[1]);
      after = Number(hunk[2]);
      isInHunk = true;
      lines.push({ kind: 'hunk', text });
    } else if (text.startsWith('diff ')) {
      isInHunk = false;
      lines.push({ kind: 'file', text: / b\/(.+)$/.exec(text)?.[1] ?? text });
    } else if (!isInHunk) {
      // The lines between a file's name and its first hunk repeat that name; a new or deleted file is worth a note.
      if (/^(new|deleted|rename|similarity|Binary)/.test(text)) lines.push({ kind: 'note', text });
      else if (lines.length === 0 || !/^(index|---|\+\+\+|old mode)/.test(text))
        lines.push({ kind: 'note', text });
    } else if (text.startsWith('+')) lines.push({ kind: 'added', text: text.slice(1), number: after++ });
    else if (text.startsWith('-')) lines.push({ kind: 'removed', text: text.slice(1), number: before++ });
    else if (text.startsWith(' ')) {
      lines.push({ kind: 'same', text: text.slice(1), number: after++ });
      before += 1;
    } else lines.push({ kind: 'note', text });
  }
  return withColours(withChanges(lines));
}

/** Beyond it a diff goes on without colours: a page that stands still is worth less. Lines. */
const mostColoured = 5000;

/** Colours each hunk twice, as it was and as it became: only so it is code. */
function withColours(lines: DiffLine[]): DiffLine[] {
  const coloured = [...lines];
  let file = '';
  let [before, after]: [number[], number[]] = [[], []];
  const colour = () => {
    for (const side of [before, after]) {
      const texts = side.map((index) => lines[index]!.text);
      for (const [place, colours] of coloursOf(texts, file).entries())
        coloured[side[place]!] = { ...coloured[side[place]!]!, colours };
    }
    [before, after] = [[], []];
  };
  for (const [index, { kind, text }] of lines.slice(0, mostColoured).entries()) {
    if (kind === 'file' || kind === 'hunk') colour();
    if (kind === 'file') file = text;
    if (kind === 'removed' || kind === 'same') before.push(index);
    if (kind === 'added' || kind === 'same') after.push(index);
  }
  colour();
  return coloured;
}

/** The pieces of a line, in order; together they are its text. */
export function piecesOf({ text, changed = [], colours = [] }: DiffLine): Piece[] {
  const edges = new Set([0, text.length, ...changed.flat(), ...colours.flatMap(([from, to]) => [from, to])]);
  const places = [...edges].sort((one, other) => one - other);
  const holds = ([from, to]: readonly [number, number, ...unknown[]], at: number) => from <= at && at < to;
  return places.slice(0, -1).map((from, index) => ({
    text: text.slice(from, places[index + 1]),
    colour: colours.find((one) => holds(one, from))?.[2],
    isChanged: changed.some((one) => holds(one, from)),
  }));
}

/** Pairs the nth line taken away with the nth line added of one block. */
function withChanges(lines: DiffLine[]): DiffLine[] {
  const marked = [...lines];
  for (let start = 0; start < lines.length; start += 1) {
    if (lines[start]!.kind !== 'removed') continue;
    let middle = start;
    while (lines[middle]?.kind === 'removed') middle += 1;
    let end = middle;
    while (lines[end]?.kind === 'added') end += 1;
    const pairs = Math.min(middle - start, end - middle);
    for (let index = 0; index < pairs; index += 1) {
      const [removed, added] = [lines[start + index]!, lines[middle + index]!];
      const parts = changedParts(removed.text, added.text);
      if (!parts) continue;
      marked[start + index] = { ...removed, changed: parts[0] };
      marked[middle + index] = { ...added, changed: parts[1] };
    }
    start = Math.max(start, end - 1);
  }
  return marked;
}

type Ranges = [number, number][];

/** Longer lines are compared as a whole: nobody reads them word by word. */
const mostWords = 160;

/** The ranges in which two lines differ; undefined where they have too little in common to be one line changed. */
function changedParts(one: string, other: string): [Ranges, Ranges] | undefined {
  const [left, right] = [wordsOf(one), wordsOf(other)];
  if (left.length > mostWords || right.length > mostWords) return undefined;
  // Length of the longest common part of what follows each pair of places.
  const common = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  for (let row = left.length - 1; row >= 0; row -= 1)
    for (let column = right.length - 1; column >= 0; column -= 1)
      common[row]![column] =
        left[row] === right[column]
          ? common[row + 1]![column + 1]! + 1
          : Math.max(common[row + 1]![column]!, common[row]![column + 1]!);
  if (common[0]![0]! < Math.min(left.length, right.length) * 0.4) return undefined;
  const ranges: [Ranges, Ranges] = [[], []];
  let [row, column, leftAt, rightAt] = [0, 0, 0, 0];
  while (row < left.length || column < right.length) {
    if (row < left.length && column < right.length && left[row] === right[column]) {
      leftAt += left[row++]!.length;
      rightAt += right[column++]!.length;
    } else if (
      column >= right.length ||
      (row < left.length && common[row + 1]![column]! >= common[row]![column + 1]!)
    ) {
      mark(ranges[0], leftAt, left[row]!.length);
      leftAt += left[row++]!.length;
    } else {
      mark(ranges[1], rightAt, right[column]!.length);
      rightAt += right[column++]!.length;
    }
  }
  return ranges;
}

const wordsOf = (text: string): string[] => text.match(/\w+|\s+|[^\w\s]+/g) ?? [];

function mark(ranges: Ranges, at: number, length: number): void {
  const last = ranges.at(-1);
  if (last && last[1] === at) last[1] = at + length;
  else ranges.push([at, at + length]);
}
