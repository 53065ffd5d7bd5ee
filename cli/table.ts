import type { Span } from '../observability/span.ts';

/** Columns as wide as their widest cell, two blanks apart; the heading is dim. The last column is not filled up. */
export function tableOf(heading: string[], rows: Span[][]): Span[][] {
  const all: Span[][] = [heading.map((text) => ({ text, tone: 'dim' as const })), ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.text.length ?? 0)));
  return all.map((row) =>
    row.map((cell, column) => ({
      ...cell,
      text: column === row.length - 1 ? cell.text : `${cell.text.padEnd(widths[column]!)}  `,
    })),
  );
}
