import type { AgentRole } from './row.ts';

/** The names of the tools there are, as the configuration may name them; a test beside the tools compares the two. */
export const toolNames = [
  'read-file',
  'list-dir',
  'search-files',
  'edit-file',
  'write-file',
  'run-program',
  'run-tests',
] as const;
export type ToolName = (typeof toolNames)[number];

const looking = ['list-dir', 'read-file', 'search-files'] as const;
const changing = [...looking, 'edit-file', 'write-file', 'run-program'] as const;

/** The tools that each role may call at most; the configuration can only narrow them. A test compares them with the roles. */
export const roleTools: Readonly<Record<AgentRole, readonly ToolName[]>> = {
  planner: looking,
  coder: changing,
  tester: changing,
  reviewer: looking,
};
