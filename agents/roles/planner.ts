import Type from 'typebox';
import { Item } from '../../schemas/work.ts';
import type { AgentDefinition } from '../role.ts';
import { briefOf } from '../brief.ts';

export const planner: AgentDefinition = {
  name: 'planner',
  system: [
    'You are the planner of a team. You divide a goal into as few work items as it needs, often one.',
    'Items are done one after the other, each by the coder (changes code) or the tester (writes tests), each reviewed.',
    'Look at the repository before you plan. An item says what to reach and how to tell that it is reached, not how to type it.',
    'End by calling `finish` with the items.',
  ].join('\n'),
  brief: briefOf,
  opening: 'files',
  tools: ['list-dir', 'read-file', 'search-files'],
  result: Type.Object({ items: Type.Array(Item, { minItems: 1, maxItems: 20 }) }),
  textIsResult: false,
  endsWithTests: false,
};
