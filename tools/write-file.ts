import Type, { type Static } from 'typebox';
import { writeTextFile } from './file.ts';
import { isIgnored } from './ignored.ts';
import { blocked, denied, failed } from './outcome.ts';
import { mayChangeFile, workspacePath } from './policy.ts';
import type { Tool } from './tool.ts';

const Arguments = Type.Object(
  {
    path: Type.String({
      minLength: 1,
      description: 'Path of the file, relative to the workspace; missing directories are made',
    }),
    content: Type.String({ description: 'The whole new content' }),
  },
  { additionalProperties: false },
);

export const writeFile: Tool = {
  name: 'write-file',
  description:
    'Writes a whole text file: a new one, or in place of the old content. For a small change use edit-file.',
  arguments: Arguments,
  effect: 'queryable',
  changesFiles: true,
  runsPrograms: false,
  perform: async ({ path, content }: Static<typeof Arguments>, context, workspace) => {
    const place = workspacePath(context.workspace, path);
    if (!place.allowed) return denied(place.reason);
    if (await isIgnored(workspace.git(), place.path))
      return failed(`${path} is ignored by git, so it would not be kept.`);
    const written = await writeTextFile(context.workspace, place.path, content, (realPath) => {
      const verdict = mayChangeFile(context.policy, context.role, realPath);
      return verdict.allowed ? undefined : verdict.reason;
    });
    if (!written.ok) return blocked(written);
    const bytes = Buffer.byteLength(content);
    return {
      status: 'ok',
      output: `${written.realPath} was ${written.created ? 'made' : 'replaced'} (${bytes} bytes).`,
    };
  },
};
