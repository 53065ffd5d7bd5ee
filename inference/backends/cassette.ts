import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import { Value } from 'typebox/value';
import { parse, stringify } from 'yaml';
import { censor } from '../../schemas/secrets.ts';
import { BackendError } from '../backend.ts';
import type { ModelReply, ModelRequest } from '../backend.ts';

/** What decides which reply fits. The model's name, bounds and temperature are left out: they are the entry's. */
export type Question = Pick<ModelRequest, 'role' | 'messages' | 'tools' | 'schema'>;

const ToolCalls = Type.Array(
  Type.Object({
    id: Type.String(),
    name: Type.String(),
    arguments: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
    invalidArguments: Type.Optional(Type.String()),
  }),
);

const Recording = Type.Object({
  digest: Type.String(),
  /** Who answered when it was recorded, for people to read. */
  model: Type.String(),
  request: Type.Object({
    role: Type.String(),
    messages: Type.Array(Type.Object({ role: Type.String(), content: Type.String() })),
    tools: Type.Array(Type.Object({ name: Type.String() })),
    schema: Type.Optional(Type.Object({ name: Type.String() })),
  }),
  reply: Type.Object({
    content: Type.String(),
    toolCalls: ToolCalls,
    finish: Type.Enum(['stop', 'length', 'tool_calls']),
    usage: Type.Object({
      inputTokens: Type.Integer({ minimum: 0 }),
      outputTokens: Type.Integer({ minimum: 0 }),
      estimated: Type.Boolean(),
    }),
  }),
});

/** One request and what was answered, without secrets. */
export interface Recording extends Static<typeof Recording> {
  request: Static<typeof Recording>['request'] & Question;
}

/** A cassette that was read: what was recorded, by the digest of the request. */
export interface Cassette {
  path: string;
  /** The reply of the newest recording of this very request; undefined where there is none. */
  replyTo(request: ModelRequest): ModelReply | undefined;
  /** Every recording that is whole. */
  recordings(): Recording[];
  /** Lines at which recordings begin that are not whole: their process was killed while it wrote. */
  cutAtLines: readonly number[];
}

const head = `# Requests and their replies, as they were recorded. A model with \`backend: scripted\` and this file as its
# \`script\` plays them back. Recordings are only ever added; the newest of a request is the one that is played.
`;
/** Every recording begins so, at the start of a line; within one, nothing does. */
const beginning = /^- digest: ([0-9a-f]{64})$/gm;

/** What is compared, without secrets: a key that changed makes no other request. */
export function questionOf(request: ModelRequest): Question {
  const { role, messages, tools, schema } = request;
  return censor({ role, messages, tools, ...(schema !== undefined && { schema }) });
}

/** Names a question; the same for the same question in any process. */
export function digestOf(question: Question): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(question)))
    .digest('hex');
}

/**
 * Makes a cassette where there is none, and sees that it can be added to. Throws a permanent BackendError, also where
 * the file is something else.
 */
export function prepareCassette(path: string): void {
  try {
    if (!existsSync(path)) return writeFileSync(path, head, { flag: 'ax', mode: 0o600 });
    closeSync(openSync(path, 'a'));
    if (statSync(path).size === 0 || readCassette(path)) return;
    throw new BackendError('permanent', `${path} is no cassette`, {
      mend: 'give `record` another path, or that of a cassette to add to',
    });
  } catch (error) {
    if (error instanceof BackendError) throw error;
    // Another process was quicker.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw cannotWrite(path, error);
  }
}

/**
 * Adds one recording, in a single write at the end of the file, so that processes do not write into each other's.
 * Throws a permanent BackendError where that fails.
 */
export function addRecording(path: string, model: string, request: ModelRequest, reply: ModelReply): void {
  const question = questionOf(request);
  const recording = {
    digest: digestOf(question),
    model,
    request: question,
    reply: censor(reply),
    whole: true,
  };
  try {
    const file = openSync(path, 'a', 0o600);
    try {
      // A line is ended first: what stands there may be the beginning of a recording whose process was killed.
      const bytes = Buffer.from(
        `\n${stringify([recording], { lineWidth: 0, aliasDuplicateObjects: false })}`,
      );
      const written = writeSync(file, bytes);
      if (written < bytes.length) throw new Error('the disk took only a part of it');
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function cannotWrite(path: string, error: unknown): BackendError {
  return new BackendError(
    'permanent',
    `the cassette ${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    { mend: 'correct the path that `record` gives, or leave it out' },
  );
}

/** Reads a cassette; undefined where the file is none. Only what is asked for is parsed: a cassette may be long. */
export function readCassette(path: string): Cassette | undefined {
  const text = readFileSync(path, 'utf8');
  const starts = [...text.matchAll(beginning)];
  if (starts.length === 0 && !text.startsWith(head)) return undefined;
  const chunks = starts.map((start, place) => ({
    digest: start[1]!,
    index: start.index,
    text: text.slice(start.index, starts[place + 1]?.index),
  }));
  const whole = chunks.filter((chunk) => isWhole(chunk.text));
  const newest = new Map(whole.map((chunk) => [chunk.digest, chunk]));
  return {
    path,
    replyTo(request) {
      const chunk = newest.get(digestOf(questionOf(request)));
      const reply = chunk && readRecording(chunk.text)?.reply;
      return reply && toReply(reply);
    },
    recordings: () => [...newest.values()].flatMap((chunk) => readRecording(chunk.text) ?? []),
    cutAtLines: chunks
      .filter((chunk) => !isWhole(chunk.text))
      .map((chunk) => text.slice(0, chunk.index).split('\n').length),
  };
}

/** `whole` is written last; within texts lines are indented further. */
function isWhole(text: string): boolean {
  return /^ {2}whole: true$/m.test(text);
}

function readRecording(text: string): Recording | undefined {
  try {
    const [one] = parse(text) as unknown[];
    return Value.Check(Recording, one) ? (one as Recording) : undefined;
  } catch {
    return undefined;
  }
}

/** As it was answered then, but for the provider's id: nobody asked a provider now. */
function toReply({ content, toolCalls, finish, usage }: Recording['reply']): ModelReply {
  return {
    content,
    finish,
    usage,
    toolCalls: toolCalls.map(({ invalidArguments, ...call }) => ({
      ...call,
      ...(invalidArguments !== undefined && { invalidArguments }),
    })),
  };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(
    members.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, sorted(one)]),
  );
}
