import { shortType } from '../../../schemas/envelope.ts';
import type { TaskSummary } from '../../../schemas/query.ts';
import { extend, noRecord, summaryAt } from '../model/task-record.ts';
import type { RecordedEvent } from '../../task-view.ts';

const states = ['completed', 'running', 'waiting', 'paused', 'failed', 'cancelled'] as const;
const goals = [
  'Made-up task',
  'Made-up task with a longer goal, so that a row has something to cut off',
  'Made up',
];

/**
 * A task of about so many steps, and as many rows of tasks, made of a recorded one: for looking at how the page bears
 * them. Every goal says that it is made up.
 */
export function generate(recorded: readonly RecordedEvent[], steps: number) {
  const taskId = '00000000-0000-5000-8000-000000000000';
  const source = recorded[0]!.event.subject!;
  const first = recorded[0]!;
  const from = recorded.findIndex((one) => shortType(one.event.type) === 'run.started');
  const to = recorded.findIndex((one) => shortType(one.event.type) === 'run.concluded');
  const text = (value: unknown) => JSON.stringify(value).replaceAll(source, taskId);
  const events: RecordedEvent[] = [];
  let sequence = 1_000_000;
  let atMs = first.atMs;
  const put = (json: string, waitMs: number) => {
    sequence += 1;
    atMs += waitMs;
    events.push({ ...(JSON.parse(json) as RecordedEvent), sequence, atMs });
  };
  for (const one of recorded.slice(0, from + 1))
    put(text(one).replaceAll('Make the tests pass', `Made-up task of ${steps} steps`), 20);
  // The steps of the first run again and again, under new ids and numbers.
  const body = recorded.slice(from + 1, to).filter((one) => !shortType(one.event.type).startsWith('task.'));
  const stepsOf = body.filter((one) => /run\.(replied|stepped)/.test(one.event.type)).length;
  for (let round = 0; round * stepsOf < steps; round += 1) {
    for (const one of body) {
      const json = text(one)
        .replaceAll(
          /"callId":"[0-9a-f]{4}/g,
          (match) => `${match.slice(0, -4)}${round.toString(16).padStart(4, '0')}`,
        )
        .replaceAll(/"number":(\d+)/g, (_, number) => `"number":${Number(number) + round * stepsOf}`)
        .replaceAll(/\.call\.[0-9a-f]{4}/g, `.call.${round.toString(16).padStart(4, '0')}`);
      put(json, 15 + ((sequence * 37) % 110));
    }
  }
  for (const one of recorded.slice(to)) put(text(one), 60);
  const pattern = summaryAt(extend(noRecord(source), recorded), Infinity)!;
  const tasks = Array.from({ length: steps }, (_, index): TaskSummary => {
    const state = states[index % states.length]!;
    const isOver = index % states.length === 0 || index % states.length > 3;
    const startedAtMs = first.atMs - index * 61_000;
    return {
      ...pattern,
      taskId: `00000000-0000-5000-8000-${String(index + 1).padStart(12, '0')}`,
      goal: `${goals[index % goals.length]} ${index + 1}`,
      state,
      roleAtWork: ['coder', 'reviewer', 'tester', 'planner'][index % 4]!,
      hop: index % 6,
      cyclesLeft: index % 3,
      models: [['scripted', 'made-up-small', 'made-up-large'][index % 3]!],
      inputTokens: (index * 977) % 90_000,
      costMicroDollars: (index * 7919) % 4_000_000,
      startedAtMs,
      updatedAtMs: startedAtMs + 50_000,
      endedAtMs: isOver ? startedAtMs + 40_000 + ((index * 331) % 600_000) : undefined,
      firstSequence: index + 1,
      lastSequence: index + 2,
    };
  });
  return { taskId, events, tasks };
}
