import { rgPath } from '@vscode/ripgrep';
import Type, { type Static } from 'typebox';
import { cutOpenly } from './output.ts';
import { blocked, denied, failed } from './outcome.ts';
import { obstacle, withPlace } from './path.ts';
import { workspacePath } from './policy.ts';
import { startProgram } from './process.ts';
import type { Tool } from './tool.ts';

const Arguments = Type.Object(
  {
    pattern: Type.String({
      minLength: 1,
      description: 'What to look for: a regular expression, or plain text with `literal`',
    }),
    path: Type.Optional(
      Type.String({ description: 'File or directory to search in; default: the workspace' }),
    ),
    glob: Type.Optional(
      Type.String({ description: 'Only files whose path fits, e.g. "*.ts" or "!test/**"' }),
    ),
    literal: Type.Optional(Type.Boolean({ description: 'Take the pattern as plain text; default false' })),
    ignoreCase: Type.Optional(
      Type.Boolean({ description: 'Take upper and lower case as equal; default false' }),
    ),
  },
  { additionalProperties: false },
);

const flags = [
  '--no-config --no-follow --hidden --no-messages --no-ignore-global --no-ignore-parent --no-require-git',
  '--one-file-system --color=never --no-heading --line-number --with-filename --sort=path',
  '--max-columns=300 --max-columns-preview --max-count=100 --max-filesize=10M',
].flatMap((line) => line.split(' '));

export const searchFiles: Tool = {
  name: 'search-files',
  description:
    'Searches the text files of the workspace, without those that git ignores, and gives the lines found as path:line:text.',
  arguments: Arguments,
  effect: 'idempotent',
  changesFiles: false,
  runsPrograms: false,
  perform: async (args: Static<typeof Arguments>, context) => {
    const asked = workspacePath(context.workspace, args.path ?? '');
    if (!asked.allowed) return denied(asked.reason);
    if (args.glob?.includes('\0') || args.pattern.includes('\0'))
      return failed('The character NUL cannot be searched for.');
    // ripgrep follows a link that is named on its command line, so it gets the real path.
    const place = await withPlace(context.workspace, asked.path, {}, async ({ realPath, stats }) => {
      if (stats === undefined) return obstacle('missing', `${asked.path} does not exist.`);
      if (!stats.isFile() && !stats.isDirectory())
        return obstacle('unfit', `${asked.path} is not a regular file.`);
      return { ok: true as const, realPath };
    });
    if (!place.ok) return blocked(place);
    const options = [
      ...(args.literal ? ['--fixed-strings'] : []),
      ...(args.ignoreCase ? ['--ignore-case'] : []),
      ...(args.glob === undefined ? [] : [`--glob=${args.glob}`]),
      // Last, so that no glob of the model's brings it back.
      '--iglob=!**/.git',
    ];
    const search = await startProgram({
      argv: [rgPath, ...flags, ...options, `--regexp=${args.pattern}`, '--', `./${place.realPath}`],
      directory: context.workspace,
      environment: { LC_ALL: 'C.UTF-8' },
      timeoutMs: Math.min(context.policy.timeoutMs, 30_000),
      outputBytes: context.policy.outputBytes,
      signal: context.signal,
    });
    if (search.ended === 'timed_out') return failed('The search took too long. Narrow it with path or glob.');
    if (search.exitCode === 1 && search.output === '') return { status: 'ok', output: 'Nothing was found.' };
    if (search.exitCode > 1) return failed(`The search failed: ${cutOpenly(search.output.trim(), 2000)}`);
    return { status: 'ok', output: search.output.replaceAll(/^\.\//gm, '').trimEnd() };
  },
};
