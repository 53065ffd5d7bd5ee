import { findRow, rowOfCloudEventType } from './catalogue.ts';
import type { Envelope } from './envelope.ts';
import { shortType } from './envelope.ts';
import { mistakesIn, mistakeText } from './mistakes.ts';

/** Everything that is wrong with the data of a type (its short name), one sentence each with the path; empty = valid. */
export function dataProblems(type: string, data: unknown): string[] {
  const row = findRow(type);
  if (!row) return [`the contract has no type ${type}`];
  return mistakesIn(row.data, data).map((mistake) => mistakeText(mistake, 'data', 'data.'));
}

/** Everything that is wrong with a message of ours as an envelope and by its row; empty = valid. */
export function problemsOf(event: Envelope): string[] {
  const problems: string[] = [];
  if (event.specversion !== '1.0') problems.push(`specversion: must be "1.0"`);
  for (const name of ['id', 'source', 'type'] as const) {
    if (typeof event[name] !== 'string' || event[name] === '')
      problems.push(`${name}: must be a text that is not empty`);
  }
  if (problems.length > 0) return problems;
  const row = rowOfCloudEventType(event.type);
  if ('problem' in row) return [`type: ${row.problem}`];
  return dataProblems(shortType(event.type), event.data);
}
