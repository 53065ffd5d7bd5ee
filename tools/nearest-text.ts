import { distance } from 'fastest-levenshtein';

/** Longer lines are compared by their beginning. */
const comparedCharacters = 200;
/** Beyond so many lines the comparison is no longer quick. */
const comparedLines = 20_000;

/**
 * What a file has instead of a text that was looked for: the lines most like it, with their numbers, and what
 * differs where that is only white space. Pure.
 */
export function nearestText(text: string, find: string): string {
  const lines = text.split('\n').slice(0, comparedLines);
  const wanted = find.split('\n');
  if (wanted.length > 1 && wanted.at(-1) === '') wanted.pop();
  const plain = (line: string): string => line.trim().replaceAll(/\s+/g, ' ');

  const ignoringSpace = indexOfLines(lines.map(plain), wanted.map(plain));
  if (ignoringSpace >= 0) {
    return `It differs only in white space (blanks, tabs, line ends) from lines ${span(ignoringSpace, wanted.length)}:\n${quote(lines, ignoringSpace, wanted.length)}`;
  }
  // The first line that says something is looked for; the lines around it must then fit as well as they can.
  const anchor = Math.max(
    0,
    wanted.findIndex((line) => /\w/.test(line)),
  );
  const candidates = lines
    .map((line, at) => ({ at: at - anchor, unlike: unlikeness(plain(line), plain(wanted[anchor]!)) }))
    .filter(({ at }) => at >= 0)
    .toSorted((a, b) => a.unlike - b.unlike)
    .slice(0, 20)
    .map(({ at }) => ({
      at,
      unlike: mean(wanted.map((line, offset) => unlikeness(plain(lines[at + offset] ?? ''), plain(line)))),
    }))
    .toSorted((a, b) => a.unlike - b.unlike || a.at - b.at);
  const best = candidates[0];
  if (best === undefined || best.unlike > 0.6) return 'Nothing in the file is like it. Read the file first.';
  return `The nearest text is at lines ${span(best.at, wanted.length)}:\n${quote(lines, best.at, wanted.length)}`;
}

function indexOfLines(lines: string[], wanted: string[]): number {
  if (wanted.every((line) => line === '')) return -1;
  return lines.findIndex((_, at) =>
    wanted.every((line, offset) => {
      const there = lines[at + offset];
      if (there === undefined) return false;
      // The first and last line may be looked for in part.
      if (wanted.length === 1) return there.includes(line);
      if (offset === 0) return there.endsWith(line);
      return offset === wanted.length - 1 ? there.startsWith(line) : there === line;
    }),
  );
}

/** 0 for equal, 1 for nothing in common. */
function unlikeness(one: string, other: string): number {
  const [a, b] = [one.slice(0, comparedCharacters), other.slice(0, comparedCharacters)];
  const longest = Math.max(a.length, b.length);
  return longest === 0 ? 0 : distance(a, b) / longest;
}

const mean = (numbers: number[]): number => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

const span = (at: number, count: number): string =>
  count === 1 ? String(at + 1) : `${at + 1}-${at + count}`;

function quote(lines: string[], at: number, count: number): string {
  return lines
    .slice(at, at + Math.min(count, 30))
    .map((line, offset) => `${at + offset + 1}\t${line.replace(/\r$/, '\\r').slice(0, 500)}`)
    .join('\n');
}
