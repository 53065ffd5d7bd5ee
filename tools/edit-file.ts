import Type, { type Static } from 'typebox';
import { readTextFile, writeTextFile } from './file.ts';
import { isIgnored } from './ignored.ts';
import { nearestText } from './nearest-text.ts';
import { blocked, denied, failed } from './outcome.ts';
import { mayChangeFile, workspacePath } from './policy.ts';
import type { Tool } from './tool.ts';

const Arguments = Type.Object(
  {
    path: Type.String({ minLength: 1, description: 'Path of the file, relative to the workspace' }),
    find: Type.String({
      minLength: 1,
      description:
        'The text to replace, exactly as it is in the file, with enough around it to be there once',
    }),
    replace: Type.String({ description: 'The text to put in its place' }),
    all: Type.Optional(
      Type.Boolean({ description: 'Replace every occurrence; default false: it must be there exactly once' }),
    ),
  },
  { additionalProperties: false },
);

export const editFile: Tool = {
  name: 'edit-file',
  description:
    'Replaces an exact piece of text in a file. It must be there exactly once, unless `all` is true.',
  arguments: Arguments,
  effect: 'queryable',
  changesFiles: true,
  runsPrograms: false,
  perform: async (args: Static<typeof Arguments>, context, workspace) => {
    const place = workspacePath(context.workspace, args.path);
    if (!place.allowed) return denied(place.reason);
    const file = await readTextFile(context.workspace, place.path);
    if (!file.ok) return blocked(file);
    const verdict = mayChangeFile(context.policy, context.role, file.realPath);
    if (!verdict.allowed) return denied(verdict.reason);
    if (await isIgnored(workspace.git(), file.realPath)) {
      return failed(`${file.realPath} is ignored by git, so the change would not be kept.`);
    }
    const edit = replaceExactly(file.text, args.find, args.replace, args.all ?? false);
    if (!edit.fits) return failed(`${file.realPath} was not changed. ${edit.reason}`);
    const written = await writeTextFile(context.workspace, place.path, edit.text, (realPath) =>
      realPath === file.realPath
        ? undefined
        : `${args.path} was replaced by a link while it was being edited.`,
    );
    if (!written.ok) return blocked(written);
    const times = edit.count === 1 ? '1 occurrence' : `${edit.count} occurrences`;
    return { status: 'ok', output: `${file.realPath} was changed: ${times} replaced, at line ${edit.line}.` };
  },
};

type Edit = { fits: true; text: string; count: number; line: number } | { fits: false; reason: string };

/** Replaces text, taking the line breaks of a file that has only CRLF for what was meant. */
export function replaceExactly(
  text: string,
  findAsGiven: string,
  replaceAsGiven: string,
  all: boolean,
): Edit {
  const isCrlf = text.includes('\r\n') && !/(^|[^\r])\n/.test(text);
  const asInFile = (given: string): string => (isCrlf ? given.replaceAll(/\r?\n/g, '\r\n') : given);
  const [find, replace] = [asInFile(findAsGiven), asInFile(replaceAsGiven)];
  if (find === replace)
    return { fits: false, reason: 'The text to find and the text to put in its place are the same.' };
  const parts = text.split(find);
  const count = parts.length - 1;
  if (count === 0)
    return { fits: false, reason: `The text to find is not there. ${nearestText(text, find)}` };
  if (count > 1 && !all) {
    const lines = positionsOf(text, find).map((at) => lineAt(text, at));
    return {
      fits: false,
      reason:
        `The text to find is there ${count} times, at lines ${lines.slice(0, 20).join(', ')}. ` +
        'Give more of the text around it, or all: true.',
    };
  }
  return { fits: true, text: parts.join(replace), count, line: lineAt(text, text.indexOf(find)) };
}

function positionsOf(text: string, find: string): number[] {
  const positions: number[] = [];
  for (let at = text.indexOf(find); at >= 0; at = text.indexOf(find, at + find.length)) positions.push(at);
  return positions;
}

const lineAt = (text: string, position: number): number => text.slice(0, position).split('\n').length;
