import Type, { type Static } from 'typebox';
import { readTextFile } from './file.ts';
import { blocked, denied, failed } from './outcome.ts';
import { cutOpenly } from './output.ts';
import { workspacePath } from './policy.ts';
import type { Tool } from './tool.ts';

const Arguments = Type.Object(
  {
    path: Type.String({ minLength: 1, description: 'Path of a text file, relative to the workspace' }),
    from: Type.Optional(
      Type.Integer({ minimum: 1, description: 'First line to read, counted from 1; default 1' }),
    ),
    to: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Last line to read; default: as many as fit' }),
    ),
  },
  { additionalProperties: false },
);

export const readFile: Tool = {
  name: 'read-file',
  description: 'Reads a text file, or the lines `from` to `to` of it. Each line comes with its number.',
  arguments: Arguments,
  effect: 'idempotent',
  changesFiles: false,
  runsPrograms: false,
  perform: async ({ path, from = 1, to }: Static<typeof Arguments>, context) => {
    const place = workspacePath(context.workspace, path);
    if (!place.allowed) return denied(place.reason);
    const file = await readTextFile(context.workspace, place.path);
    if (!file.ok) return blocked(file);
    const lines = linesOf(file.text);
    if (lines.length === 0) return { status: 'ok', output: `${file.realPath} is empty.` };
    if (from > lines.length) return failed(`${file.realPath} has only ${lines.length} lines.`);
    if (to !== undefined && to < from) return failed(`The range ${from} to ${to} is the wrong way round.`);
    return { status: 'ok', output: numbered(file.realPath, lines, from, to, context.policy.outputBytes) };
  },
};

/** The lines of a text; a line break at its end begins no further line. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** As many numbered lines as fit, under a heading that says which and how to get the next. */
function numbered(
  path: string,
  lines: string[],
  from: number,
  to: number | undefined,
  maxBytes: number,
): string {
  const last = Math.min(to ?? lines.length, lines.length);
  const shown: string[] = [];
  let bytes = 0;
  for (let number = from; number <= last; number += 1) {
    // One huge line (a minified file) is cut by itself.
    const line = `${number}\t${cutOpenly(lines[number - 1]!, Math.max(200, Math.floor(maxBytes / 4)))}`;
    bytes += Buffer.byteLength(line) + 1;
    if (bytes > maxBytes && shown.length > 0) break;
    shown.push(line);
  }
  const end = from + shown.length - 1;
  const next = end < last ? `; cut here, go on with from: ${end + 1}` : '';
  return `${path}, lines ${from}-${end} of ${lines.length}${next}\n${shown.join('\n')}`;
}
