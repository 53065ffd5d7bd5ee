import type { Dirent } from 'node:fs';
import Type, { type Static } from 'typebox';
import { readDirectory } from './file.ts';
import { blocked, denied } from './outcome.ts';
import { isGitName, workspacePath } from './policy.ts';
import type { Tool } from './tool.ts';

const Arguments = Type.Object(
  {
    path: Type.Optional(
      Type.String({ description: 'Directory, relative to the workspace; default: the workspace itself' }),
    ),
    depth: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 5, description: 'How many levels to show; default 1' }),
    ),
  },
  { additionalProperties: false },
);

/** More entries than a model can use. */
const mostEntries = 500;

export const listDir: Tool = {
  name: 'list-dir',
  description: 'Lists a directory: directories end in "/", links in "@". `depth` shows the levels below too.',
  arguments: Arguments,
  effect: 'idempotent',
  changesFiles: false,
  runsPrograms: false,
  perform: async ({ path = '', depth = 1 }: Static<typeof Arguments>, context) => {
    const place = workspacePath(context.workspace, path);
    if (!place.allowed) return denied(place.reason);
    const top = await readDirectory(context.workspace, place.path);
    if (!top.ok) return blocked(top);
    const shown: string[] = [];
    const leftOut = { count: 0 };
    await show(context.workspace, top.realPath, '', top.entries, depth, shown, leftOut);
    const heading = `${top.realPath || '.'}${shown.length === 0 ? ' is empty.' : ''}`;
    const cut =
      leftOut.count > 0 ? [`[... ${leftOut.count} entries left out: list a directory below ...]`] : [];
    return { status: 'ok', output: [heading, ...shown, ...cut].join('\n') };
  },
};

async function show(
  workspace: string,
  realPath: string,
  indent: string,
  entries: Dirent[],
  depth: number,
  shown: string[],
  leftOut: { count: number },
): Promise<void> {
  const visible = entries.filter((entry) => !isGitName(entry.name));
  for (const entry of visible.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (shown.length >= mostEntries) {
      leftOut.count += 1;
      continue;
    }
    const mark = entry.isDirectory() ? '/' : entry.isSymbolicLink() ? '@' : entry.isFile() ? '' : '?';
    shown.push(`${indent}${entry.name}${mark}`);
    // Installed packages are never what is looked for.
    if (!entry.isDirectory() || depth <= 1 || entry.name === 'node_modules') continue;
    const below = await readDirectory(workspace, realPath === '' ? entry.name : `${realPath}/${entry.name}`);
    if (below.ok)
      await show(workspace, below.realPath, `${indent}  `, below.entries, depth - 1, shown, leftOut);
  }
}
