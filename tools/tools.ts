import { editFile } from './edit-file.ts';
import { listDir } from './list-dir.ts';
import { readFile } from './read-file.ts';
import { runProgram } from './run-program.ts';
import { runTests } from './run-tests.ts';
import { searchFiles } from './search-files.ts';
import type { EffectClass, SandboxLevel, Tool } from './tool.ts';
import { writeFile } from './write-file.ts';

/** Every tool there is. A new one is a file and a line here. */
export const tools: readonly Tool[] = [
  readFile,
  listDir,
  searchFiles,
  editFile,
  writeFile,
  runProgram,
  runTests,
];

/** What a model is told of a tool. */
export interface ToolDescription {
  name: string;
  description: string;
  /** JSON Schema of the arguments. */
  arguments: Record<string, unknown>;
}

/**
 * The tools of these names as a model is told of them, in the table's order.
 *
 * @throws Error when a name is no tool's.
 */
export function toolDescriptions(names: readonly string[]): ToolDescription[] {
  for (const name of names) findTool(name);
  return tools
    .filter((tool) => names.includes(tool.name))
    .map(({ name, description, arguments: schema }) => ({
      name,
      description,
      // Through JSON, so that nothing but plain data is left of the schema.
      arguments: JSON.parse(JSON.stringify(schema)) as Record<string, unknown>,
    }));
}

/**
 * What may be repeated after a crash, as things are here: whatever starts a program is `opaque` where no
 * sandbox holds it, for then nobody knows what it reached.
 *
 * @throws Error when the name is no tool's.
 */
export function effectOf(name: string, sandbox: SandboxLevel): EffectClass {
  const tool = findTool(name);
  return tool.runsPrograms && sandbox === 'none' ? 'opaque' : tool.effect;
}

function findTool(name: string): Tool {
  const tool = tools.find((one) => one.name === name);
  if (tool === undefined)
    throw new Error(`There is no tool ${name}. There are: ${tools.map((one) => one.name).join(', ')}.`);
  return tool;
}
