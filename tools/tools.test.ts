import { expect, test } from 'vitest';
import { toolNames } from '../schemas/tool-names.ts';
import { tools } from './tools.ts';

test('tools: they are those that the configuration knows by name', () => {
  expect(tools.map((tool) => tool.name)).toEqual([...toolNames]);
});
