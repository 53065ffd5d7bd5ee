import type { Client } from '../bus/client.ts';
import { shortType } from '../schemas/envelope.ts';

/** PLACEHOLDER until the timeline is in: prints events as they come; resolves with the exit code. */
export async function followTask(client: Client, taskId: string, _options: { isJson: boolean }): Promise<number> {
  const abort = new AbortController();
  for await (const { event, sequence } of client.follow(taskId, abort.signal)) {
    const type = shortType(event.type);
    const data = event.data as Record<string, unknown>;
    const { given: _given, next: _next, work: _work, choices: _choices, ...rest } = data;
    console.error(sequence, type, event.sender, JSON.stringify(rest).slice(0, 200));
    if (type === 'task.completed') return 0;
    if (type === 'task.paused') return 7;
    if (['task.failed', 'task.rejected', 'task.cancelled'].includes(type)) return 5;
  }
  return 1;
}
