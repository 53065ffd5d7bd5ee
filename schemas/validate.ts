import type { ValidateFunction } from 'ajv';
import { findRow, rowOfCloudEventType } from './catalogue.ts';
import { openChecker } from './checker.ts';
import type { Envelope } from './envelope.ts';
import { shortType } from './envelope.ts';

const ajv = openChecker();
ajv.addFormat('uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i);

const compiled = new Map<string, ValidateFunction>();

function validator(type: string): ValidateFunction | undefined {
  const known = compiled.get(type);
  if (known) return known;
  const row = findRow(type);
  if (!row) return undefined;
  const made = ajv.compile(row.data);
  compiled.set(type, made);
  return made;
}

/** Everything that is wrong with the data of a type (its short name), one sentence each with the path; empty = valid. */
export function dataProblems(type: string, data: unknown): string[] {
  const validate = validator(type);
  if (!validate) return [`the contract has no type ${type}`];
  if (validate(data)) return [];
  return (validate.errors ?? []).map((error) => {
    const where = `data${error.instancePath.replaceAll('/', '.')}`;
    if (error.keyword === 'additionalProperties')
      return `${where}: unknown property "${error.params['additionalProperty']}"`;
    if (error.keyword === 'enum')
      return `${where}: must be one of ${(error.params['allowedValues'] as unknown[]).join(', ')}`;
    return `${where}: ${error.message}`;
  });
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
