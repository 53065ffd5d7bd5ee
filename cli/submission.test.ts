import { expect, test } from 'vitest';
import type { Client } from '../bus/client.ts';
import type { Connection } from './connection.ts';
import type { Output } from './output.ts';
import { submitTask } from './submission.ts';

test.each([true, false])(
  'submission: a request that became a dead letter is no task that was accepted (watched: %s)',
  async (isWatched) => {
    const client: Partial<Client> = {
      request: () => Promise.resolve({ taskId: 'task', eventId: 'event', sequence: 1, isDuplicate: false }),
      isWaiting: () => Promise.resolve(false),
      read: () => Promise.resolve([]),
    };
    const submission = { request: { repository: '/srv/code', test: 'npm test' }, isWatched };
    await expect(
      submitTask({ client } as unknown as Connection, submission, {} as Output),
    ).rejects.toMatchObject({
      message: 'the manager could not handle the request, so there is no task',
      mend: './switchyard dead list says why',
      exitCode: 1,
    });
  },
);
