import { expect, test } from 'vitest';
import { textOf } from '../observability/span.ts';
import { emptyView } from '../observability/task-view.ts';
import { rowOf } from './list.ts';

const view = { ...emptyView, taskId: '3f1c0000-0000-5000-8000-000000000002', goal: 'Add right' };

test('list: a task that was answered by scripted replies is marked', () => {
  expect(textOf(rowOf({ ...view, isScripted: true }, 0))).toContain('(scripted) Add right');
  expect(textOf(rowOf(view, 0))).not.toContain('scripted');
});
