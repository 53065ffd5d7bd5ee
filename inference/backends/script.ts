import { readFileSync } from 'node:fs';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import { Value } from 'typebox/value';
import { parse } from 'yaml';
import { BackendError } from '../backend.ts';

const Status = Type.Enum(['ok', 'failed', 'denied', 'any']);

/** One reply of a scene; the scene's n-th reply answers the run's n-th question. */
const ScriptedReply = Type.Object(
  {
    /** What the model says. */
    content: Type.Optional(Type.String()),
    toolCalls: Type.Optional(
      Type.Array(
        Type.Object(
          { name: Type.String(), arguments: Type.Optional(Type.Record(Type.String(), Type.Unknown())) },
          { additionalProperties: false },
        ),
      ),
    ),
    /**
     * What the tools must have answered to this reply when the next one is asked for: one status for all its
     * calls, or one a call. `ok` by default, so that a script that no longer fits is noticed; `any` accepts all.
     */
    expect: Type.Optional(Type.Union([Status, Type.Array(Status)])),
    /** A text that the tools' answers must contain. */
    expectOutputContains: Type.Optional(Type.String()),
    /** Pause between two words of `content`; 10 by default, so that a person sees it being written. */
    delayMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000 })),
  },
  { additionalProperties: false },
);

const Scene = Type.Object(
  {
    role: Type.String(),
    /** The scene is played only where the first user message contains this. */
    whenPromptContains: Type.Optional(Type.String({ minLength: 1 })),
    replies: Type.Array(ScriptedReply, { minItems: 1 }),
  },
  { additionalProperties: false },
);

const Script = Type.Array(Scene, { minItems: 1 });

export type ScriptedReply = Static<typeof ScriptedReply>;
export type Scene = Static<typeof Scene>;

/** Reads a script. Throws a permanent BackendError that names the file and every place that is wrong. */
export function readScript(path: string): Scene[] {
  let value: unknown;
  try {
    value = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new BackendError('permanent', `the script ${path} cannot be read: ${(error as Error).message}`);
  }
  if (Value.Check(Script, value)) return value;
  const problems = Value.Errors(Script, value)
    .filter((problem) => problem.message !== 'schema is false')
    .map((problem) => {
      const names =
        'additionalProperties' in problem.params ? `: ${String(problem.params.additionalProperties)}` : '';
      return `${problem.instancePath || '/'} ${problem.message}${names}`;
    });
  throw new BackendError('permanent', `the script ${path} is not a list of scenes: ${problems.join('; ')}`, {
    mend: 'a scene is {role, whenPromptContains?, replies: [{content?, toolCalls?, expect?, delayMs?}]}',
  });
}
