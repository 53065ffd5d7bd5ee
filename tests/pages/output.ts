import recorded from '../../observability/dashboard/demo/recording.gen.json' with { type: 'json' };
import { textOf as wordsOf } from '../../observability/span.ts';
import type { RecordedEvent } from '../../observability/task-view.ts';
import { linesOf } from '../../observability/timeline.ts';
import { findRow } from '../../schemas/catalogue.ts';
import { commandProblem } from './shell.ts';
import { sources } from './sources.ts';

/** What differs from one run to the next: numbers, ids, times, and what a page leaves out. */
const differs = /\.\.\.|…|\b[0-9a-f]{8,}\b|\d+(?:[.:]\d+)*/g;
/** The same of a line that is put together here and there: what is quoted, paths, and the nouns of what is counted. */
const pieced = new RegExp(`"[^"]*"|[^ ]*/[^ :]*|\\d+ \\w+|${differs.source}`, 'g');
const plain = (line: string) => line.trim().replaceAll(/\s+/g, ' ');
const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

/** What `watch` shows of the demo. */
const shown = linesOf(recorded.events as unknown as RecordedEvent[]).map((line) =>
  plain(wordsOf(line.spans)),
);

const fits = (line: string, given: string) =>
  new RegExp(`^${given.split(differs).map(escaped).join('.*')}$`).test(line);

/** Whether a text is somewhere in the sources, in one piece or in two that are put together. */
const isSaid = (part: string) =>
  [...part.matchAll(/ |$/g)].some(
    ({ index }) => sources.includes(part.slice(0, index)) && sources.includes(part.slice(index).trim()),
  );

/** Why we would not say this line. */
function lineProblem(line: string): string | undefined {
  const given = plain(line);
  if (given.startsWith('+'))
    return shown.some((one) => fits(one, given)) ? undefined : `\`watch\` does not show "${given}"`;
  const [, type] = /^[\d:.]+ [A-Z]+ \w+\.\w+ (\S+) (?:\w+=\S+ ?)+$/.exec(given) ?? [];
  if (type) return findRow(type) ? undefined : `the contract has no type ${type}`;
  const parts = given.split(pieced).flatMap((part) => part.split(/[,;:()]/));
  const unknown = parts.map((part) => part.trim()).filter((part) => !isSaid(part));
  return unknown.length > 0 ? `nobody says "${unknown.join('", "')}"` : undefined;
}

/** Why a `text` block is neither a command of another program nor what we say. */
export function outputProblem(text: string): string | undefined {
  if (commandProblem(plain(text)) === undefined) return undefined;
  return text
    .trimEnd()
    .split('\n')
    .map(lineProblem)
    .find((problem) => problem !== undefined);
}
