import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { QueryReply } from '../../schemas/query.ts';
import { answerTasks } from './answers.ts';
import { openReadModel } from './read-model.ts';

test('answers: a page of tasks with long goals fits a message, and the pages together are all of them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-answers-'));
  const model = openReadModel(join(folder, 'model.sqlite'), 'yard');
  try {
    const insert = model.database.prepare(
      "INSERT INTO task (task, task_id, state, role, words, summary) VALUES (?, ?, 'done', 'coder', '', ?)",
    );
    // As long as a goal in a list may be, of characters that take three bytes each.
    const goal = '語'.repeat(1000);
    for (let task = 1; task <= 500; task++)
      insert.run(task, `t${task}`, JSON.stringify({ taskId: `t${task}`, goal }));

    const pages: QueryReply<'tasks'>[] = [];
    let cursor: string | undefined;
    do {
      const page = answerTasks(model, { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
      pages.push(page);
      cursor = page.next;
    } while (cursor !== undefined);

    for (const page of pages) expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThan(1024 * 1024);
    const seen = pages.flatMap((page) => page.tasks.map((one) => one.taskId));
    expect(pages.length).toBeGreaterThan(1);
    expect(seen).toEqual(Array.from({ length: 500 }, (_, index) => `t${500 - index}`));
  } finally {
    model.close();
    rmSync(folder, { recursive: true });
  }
});
