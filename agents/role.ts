import type { TSchema } from 'typebox';
import type { AgentRole } from '../schemas/row.ts';
import type { Work } from '../schemas/work.ts';

/** What an agent role is: data. The run loop is the same for all. */
export interface AgentDefinition {
  name: AgentRole;
  /** What the model is told it is. */
  system: string;
  /** The first thing the model is told about this piece of work; `opening` is what the opening step brought. */
  brief(work: Work, opening: string): string;
  /**
   * What the harness does before the model is asked. `baseline`: makes the worktree ready and runs the tests;
   * `diff`: shows what was changed; `files`: lists the repository.
   */
  opening: 'baseline' | 'diff' | 'files';
  /** Tools that the model may call; the operator's policy may take some away. */
  tools: readonly string[];
  /** The arguments of the closing tool `finish`. */
  result: TSchema;
  /** True where a plain text reply is taken for the summary of the result. */
  textIsResult: boolean;
  /** True where the harness runs the tests before the run may end well. */
  endsWithTests: boolean;
}
