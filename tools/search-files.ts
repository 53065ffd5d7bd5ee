import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { rgPath } from '@vscode/ripgrep';
import Type, { type Static } from 'typebox';
import { cutOpenly } from './output.ts';
import { blocked, denied, failed } from './outcome.ts';
import { obstacle, withPlace } from './path.ts';
import { workspacePath } from './policy.ts';
import { startProgram } from './process.ts';
import type { Tool, ToolContext } from './tool.ts';

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

const largestMebibytes = 10;

/** Which files are looked at. */
const filesFlags = [
  '--no-config --no-follow --hidden --no-messages --no-ignore-global --no-ignore-parent --no-require-git',
  '--one-file-system --color=never --sort=path',
].flatMap((line) => line.split(' '));

const flags = [
  ...filesFlags,
  '--no-heading --line-number --with-filename --max-columns=300 --max-columns-preview --max-count=100',
  `--max-filesize=${largestMebibytes}M`,
].flatMap((line) => line.split(' '));

const mostNamed = 10;

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
      return { ok: true as const, realPath, isFile: stats.isFile() };
    });
    if (!place.ok) return blocked(place);
    const globs = [
      ...(args.glob === undefined ? [] : [`--glob=${args.glob}`]),
      // Last, so that no glob of the model's brings it back.
      '--iglob=!**/.git',
    ];
    const options = [
      ...(args.literal ? ['--fixed-strings'] : []),
      ...(args.ignoreCase ? ['--ignore-case'] : []),
      ...globs,
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
    if (search.exitCode > 1) return failed(`The search failed: ${cutOpenly(search.output.trim(), 2000)}`);
    // A file that is named is searched however large it is.
    const skipped = place.isFile ? '' : await tooLarge([...globs, '--', `./${place.realPath}`], context);
    if (search.exitCode === 1 && search.output === '')
      return { status: 'ok', output: `Nothing was found.${skipped && ` ${skipped}`}` };
    const found = search.output.replaceAll(/^\.\//gm, '').trimEnd();
    return { status: 'ok', output: skipped ? `${found}\n${skipped}` : found };
  },
};

/** A sentence that names the files which were not searched, or `''`: a model would take silence for their not having it. */
async function tooLarge(where: string[], context: ToolContext): Promise<string> {
  const listed = await startProgram({
    argv: [rgPath, ...filesFlags, '--files', '--null', ...where],
    directory: context.workspace,
    environment: { LC_ALL: 'C.UTF-8' },
    timeoutMs: Math.min(context.policy.timeoutMs, 30_000),
    outputBytes: 32_000_000,
    signal: context.signal,
  });
  const names: string[] = [];
  for (const name of listed.output.split('\0')) {
    const status =
      name === '' ? undefined : await lstat(join(context.workspace, name)).catch(() => undefined);
    if (status && status.size > largestMebibytes * 1024 * 1024) names.push(name.replace(/^\.\//, ''));
  }
  if (names.length === 0) return '';
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  return `Not searched, since larger than ${largestMebibytes} MiB: ${names.slice(0, mostNamed).join(', ')}${more}. Give one as path to search it.`;
}
