import { Ajv } from 'ajv';
import { querySubject } from '../../observability/query.ts';
import { readSubmission } from '../../schemas/binding.ts';
import { permissionsOf, submitService } from '../../schemas/permissions.ts';
import { queries } from '../../schemas/query.ts';
import { journalSubject, liveSubject, submitSubject } from '../../schemas/subject.ts';
import { problemsOf } from '../../schemas/validate.ts';
import { covers } from './covers.ts';

/** What a mesh is called, and its namespace, where nothing else is configured. */
const context = 'switchyard';
const namespace = 'yard';

/** What our pages use of the `nats` CLI: how many words follow a verb, and the flags that it takes. */
const verbs: Record<string, { operands: number; flags: string[] }> = {
  pub: { operands: 2, flags: [] },
  req: { operands: 2, flags: [] },
  sub: { operands: 1, flags: ['--all'] },
  'micro ls': { operands: 0, flags: [] },
};

const ajv = new Ajv({ allErrors: true, strict: false });
const id = '7b0e2a1c-0000-4000-8000-000000000001';
/** Subjects on which something is said. */
const heard = [
  journalSubject(namespace, { entity: 'task', taskId: id }),
  journalSubject(namespace, { entity: 'run', taskId: id, role: 'coder', id }),
  journalSubject(namespace, { entity: 'mesh', taskId: 'mesh', role: 'crash', id }),
  liveSubject(namespace, id, id),
];

function submissionProblem(body: string): string | undefined {
  const place = { stream: 'page', sequence: 1, timestampMs: 0 };
  const read = readSubmission([], new TextEncoder().encode(body), place);
  const problems = 'problems' in read ? read.problems : problemsOf(read.event);
  return problems.length > 0 ? problems.join('; ') : undefined;
}

function bodyProblem(verb: string, subject: string, body: string): string | undefined {
  if (subject === submitSubject(namespace))
    return verb === 'pub' ? submissionProblem(body) : `nobody answers at ${subject}`;
  const query = queries.find((one) => querySubject(namespace, one.name) === subject);
  if (!query && subject !== submitService(namespace)) return `the contract has no ${subject}`;
  if (verb === 'pub') return `${subject} is asked by req`;
  if (!query) return submissionProblem(body);
  try {
    return ajv.validate(query.request, JSON.parse(body)) ? undefined : ajv.errorsText();
  } catch (error) {
    return (error as Error).message;
  }
}

/** Why these words (after `nats`) are no recipe that works as it stands, beside a mesh that has the usual names. */
export function recipeProblem(words: readonly string[]): string | undefined {
  const [flag, name, ...rest] = words;
  if (flag !== '--context' || name !== context) return `it must begin with --context ${context}`;
  const verb = Object.keys(verbs).find((one) => `${rest.join(' ')} `.startsWith(`${one} `));
  if (verb === undefined) return `nobody checks \`nats ${rest[0] ?? ''}\``;
  const after = rest.slice(verb.split(' ').length);
  const unknown = after.filter((word) => word.startsWith('-') && !verbs[verb]!.flags.includes(word));
  if (unknown.length > 0) return `nobody checks ${unknown.join(' ')} of \`nats ${verb}\``;
  const operands = after.filter((word) => !word.startsWith('-'));
  if (operands.length !== verbs[verb]!.operands) return `${verb} takes ${verbs[verb]!.operands} words`;
  const [subject, body] = operands;
  if (subject === undefined) return undefined;
  const may = permissionsOf('operator', namespace, []);
  if (verb === 'sub') {
    if (!may.subscribe.some((pattern) => covers(pattern, subject)))
      return `the operator may not hear ${subject}`;
    const named = subject.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, id);
    return heard.some((one) => covers(named, one)) ? undefined : `nothing is said on ${subject}`;
  }
  if (!may.publish.some((pattern) => covers(pattern, subject))) return `the operator may not say ${subject}`;
  return bodyProblem(verb, subject, body!);
}
