import Type from 'typebox';
import type { AgentDefinition } from '../role.ts';
import { briefOf } from '../brief.ts';

export const tester: AgentDefinition = {
  name: 'tester',
  system: [
    'You are the tester of a team. You write or mend tests for a goal, in the style of the tests that are there.',
    'Look at the code first. A test must be able to fail: check behaviour, not wording.',
    'Change tests only; leave the code under test as it is.',
    'Call a tool in every reply until you are done: a reply without a call ends your work.',
    'Work only inside the workspace. When you are done call `finish`; the harness then runs the tests.',
  ].join('\n'),
  brief: briefOf,
  opening: 'baseline',
  tools: ['list-dir', 'read-file', 'search-files', 'edit-file', 'write-file', 'run-program'],
  result: Type.Object({
    summary: Type.String({ minLength: 1, description: 'Which tests were written and what they show' }),
  }),
  textIsResult: true,
  endsWithTests: true,
};
