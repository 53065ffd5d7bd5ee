import type { AgentRole } from '../schemas/row.ts';
import type { AgentDefinition } from './role.ts';
import { coder } from './roles/coder.ts';
import { planner } from './roles/planner.ts';
import { reviewer } from './roles/reviewer.ts';
import { tester } from './roles/tester.ts';

/** Every agent role. Adding one is a file beside these and a line here. */
export const definitions: Record<AgentRole, AgentDefinition> = { planner, coder, tester, reviewer };
