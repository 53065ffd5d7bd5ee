import { afterAll, beforeAll, expect, test } from 'vitest';
import { readBelieved } from '../bus/journal.ts';
import { openLog } from '../bus/log.ts';
import { openVerifier } from '../bus/signature.ts';
import { readPublicKeys } from '../bus/credentials.ts';
import { verifyTask } from '../replay/verify.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import { startOpenAiServer, type OpenAiServer } from './openai-server.ts';
import { able, playing } from './played-models.ts';
import { eventually } from './yard-parts.ts';
import { namespace, openYard, type Yard } from './yard.ts';

let server: OpenAiServer;
let isHealed = false;
let yard: Yard;
beforeAll(async () => {
  const play = playing({ flaky: able });
  server = await startOpenAiServer({
    models: ['flaky'],
    behave: (request, index) => (isHealed ? play(request, index) : { kind: 'error', status: 503 }),
  });
  const flaky = { backend: 'openai' as const, pool: 'flaky', url: server.url, timeoutMs: 60_000 };
  yard = await openYard({
    pools: ['flaky'],
    overrides: { models: { flaky }, roles: { coder: ['flaky', 'scripted'] } },
  });
});
afterAll(async () => {
  await yard?.stop();
  await server?.close();
});

/** The changes of the breaker, as anybody may read them in the record. */
async function changes() {
  const verify = openVerifier(await readPublicKeys(yard.stateDirectory));
  const believing = { bus: yard.admin, namespace, verify, log: openLog('tests', 'silent') };
  const found: { type: string; data: DataOf<'breaker.opened'> }[] = [];
  for await (const { event } of readBelieved(believing, `${namespace}.event.mesh.breaker.flaky`))
    found.push({ type: shortType(event.type), data: event.data as DataOf<'breaker.opened'> });
  return found;
}
const changed = (type: string) =>
  eventually(async () => (await changes()).find((one) => one.type === type), `the breaker's ${type}`);
const routeOf = async (taskId: string) =>
  (await yard.until(taskId, (_one, type) => type === 'route.decided')).event.data as DataOf<'route.decided'>;

test('breaker: a pool that fails is passed over until it answers its probe, and what waits for it goes on by itself', async () => {
  // Both are routed to the pool, and both come to their end with the other model.
  const first = await Promise.all([yard.submit(), yard.submit()]);
  const opened = await changed('breaker.opened');
  expect(opened.data).toMatchObject({
    pool: 'flaky',
    trips: 1,
    why: expect.stringContaining('attempts of flaky failed'),
  });
  expect(opened.data.counts.failures).toBeGreaterThanOrEqual(5);
  expect(opened.data.counts.causes).toEqual({ server: opened.data.counts.failures });
  expect(opened.data.untilMs).toBeGreaterThan(opened.data.given.atMs);

  // What it is stands in the record, not in the process that found it out.
  yard.kill('inference');
  const waiting = await yard.submit({ model: 'flaky' });
  const waits = await yard.until(waiting, (_one, type) => type === 'route.waiting');
  expect(waits.event.data).toMatchObject({
    why: expect.stringMatching(/^flaky: its breaker is open since \d{4}-.*attempts of flaky failed/),
    mend: expect.stringContaining('goes on by itself'),
  });
  const passedOver = await yard.submit();
  expect(await routeOf(passedOver)).toMatchObject({
    model: 'scripted',
    rejected: [{ model: 'flaky', why: expect.stringContaining('its breaker is open since') }],
  });
  isHealed = true;
  await changed('breaker.closed');
  for (const taskId of [...first, passedOver]) expect(await yard.ended(taskId)).toBe('task.completed');
  expect(await yard.ended(waiting)).toBe('task.completed');
  const after = await yard.submit();
  expect(await routeOf(after)).toMatchObject({ model: 'flaky', rejected: [] });
  expect(await yard.ended(after)).toBe('task.completed');

  // Every change in its order, whichever process made it.
  const order = (await changes()).map(({ type }) => type);
  expect(order.join(' ')).toMatch(/^(breaker\.opened breaker\.half_opened )+breaker\.closed$/);
  const [one, ...others] = (await changes()).map(({ data }) => data.given.process);
  expect(others).not.toContain(one);
  for (const taskId of [...first, waiting, passedOver, after]) {
    const { problems } = await verifyTask(await yard.client.readRaw(taskId), { namespace });
    expect(problems).toEqual([]);
  }
});
