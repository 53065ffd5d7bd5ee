import { expect, test } from 'vitest';
import { coder } from '../agents/roles/coder.ts';
import { planner } from '../agents/roles/planner.ts';
import { reviewer } from '../agents/roles/reviewer.ts';
import { tester } from '../agents/roles/tester.ts';
import { roleTools } from './tool-names.ts';

test.each([planner, coder, tester, reviewer])("tools: the list of the $name is the role's own", (role) => {
  expect(roleTools[role.name as keyof typeof roleTools]).toEqual(role.tools);
});
