import Type from 'typebox';

const text = (description: string) => Type.String({ minLength: 1, description });

/** The context attributes of our messages: those of CloudEvents 1.0 and our extensions. */
export const Attributes = Type.Object({
  specversion: Type.Literal('1.0', { description: 'Version of CloudEvents' }),
  id: text('Unique with its source; the same pair again is the same message'),
  source: text('Who says it: /switchyard/<role>, or whatever a requester calls itself (a URI reference)'),
  type: text('dev.switchyard.<entity>.<name>.v<version>'),
  subject: Type.Optional(text("The task's id")),
  time: Type.Optional(Type.String({ format: 'date-time', description: 'RFC 3339' })),
  datacontenttype: Type.Optional(text('Always JSON: application/json when left out')),
  dataschema: Type.Optional(text("URI of the data's schema")),
  correlationid: Type.Optional(text("The root task's id")),
  causationid: Type.Optional(text('Id of the message that caused this one')),
  traceparent: Type.Optional(text('W3C trace context')),
  tracestate: Type.Optional(text('W3C trace context')),
  hop: Type.Optional(Type.Integer({ minimum: 0, description: 'Hand-offs made so far within the work item' })),
  cyclesleft: Type.Optional(Type.Integer({ minimum: 0, description: 'Review cycles left' })),
  sender: Type.Optional(text('The role that says it')),
  recipient: Type.Optional(text('The role or pool it is meant for')),
});

/** The rule for every attribute's name, also those that are not ours. */
export const attributeNamePattern = '^[a-z0-9]{1,20}$';

const nameRule = new RegExp(attributeNamePattern);
const timeRule = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;
// CloudEvents forbids exactly these characters in a text.
const forbidden = /[\u0000-\u001f\u007f-\u009f]/;
const known = new Map<string, { type: string; minimum?: number }>(Object.entries(Attributes.properties));

/** True for an attribute whose value is a number of ours, which a header can only bring as text. */
export function isIntegerAttribute(name: string): boolean {
  return known.get(name)?.type === 'integer';
}

function valueProblem(name: string, value: unknown): string | undefined {
  if (isIntegerAttribute(name)) {
    const minimum = known.get(name)?.minimum ?? -(2 ** 31);
    if (Number.isInteger(value) && (value as number) >= minimum && (value as number) < 2 ** 31)
      return undefined;
    return `${name}: must be a whole number from ${minimum}`;
  }
  if (typeof value === 'string') {
    if (value === '') return `${name}: must not be empty`;
    if (forbidden.test(value) || !value.isWellFormed()) return `${name}: must not hold control characters`;
    if (name === 'time' && (!timeRule.test(value) || Number.isNaN(Date.parse(value)))) {
      return `time: must be RFC 3339, such as 2026-01-31T09:30:00Z`;
    }
    return undefined;
  }
  if (known.has(name)) return `${name}: must be a text`;
  if (typeof value === 'boolean' || Number.isInteger(value)) return undefined;
  return `${name}: must be a text, a whole number or true or false; structures belong into data`;
}

/** Everything that is wrong with a CloudEvent's attributes, one sentence each; `data` is not looked at. */
export function attributeProblems(event: Record<string, unknown>): string[] {
  const problems: string[] = [];
  if (event['specversion'] !== '1.0') {
    problems.push(`specversion: must be "1.0", not ${JSON.stringify(event['specversion']) ?? 'left out'}`);
  }
  for (const name of Attributes.required) {
    if (name !== 'specversion' && event[name] === undefined) problems.push(`${name}: is required`);
  }
  for (const [name, value] of Object.entries(event)) {
    if (name === 'data' || name === 'specversion' || value === undefined) continue;
    if (!nameRule.test(name)) {
      problems.push(`${JSON.stringify(name)}: an attribute's name has only a-z and 0-9, at most 20 of them`);
      continue;
    }
    const problem = valueProblem(name, value);
    if (problem) problems.push(problem);
  }
  return problems;
}
