import { afterAll, beforeAll, expect, test } from 'vitest';
import { startOpenAiServer, type OpenAiServer } from './openai-server.ts';
import { eventually } from './yard-parts.ts';
import { openYard, type Yard } from './yard.ts';

let yard: Yard;
let models: OpenAiServer;
beforeAll(async () => {
  models = await startOpenAiServer({ behave: () => ({ kind: 'hang' }) });
  const hanging = { backend: 'openai' as const, model: 'hanging', pool: 'scripted', url: models.url };
  yard = await openYard({ slots: { inference: 1 }, overrides: { models: { hanging } } });
});
afterAll(async () => {
  await yard?.stop();
  await models?.close();
});

test('calling off: a worker whose only slot is taken by the call hears of it all the same', async () => {
  const taskId = await yard.submit({ model: 'hanging' });
  const asked = await eventually(() => models.requests[0], 'the model to be asked');
  await yard.client.request('task.cancel', { taskId, reason: 'no longer wanted' });
  await eventually(() => asked.aborted, 'the call to be hung up');
  expect(await yard.ended(taskId)).toBe('task.cancelled');
});
