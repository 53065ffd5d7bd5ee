import { expect, test } from 'vitest';
import { watchBroker } from './broker-loss.ts';

/** A connection that breaks and comes back when the test says so. */
function playedConnection() {
  const waiting: ((result: IteratorResult<{ type: string }>) => void)[] = [];
  return {
    say: (type: string) => waiting.shift()?.({ value: { type }, done: false }),
    status: () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<{ type: string }>>((resolve) => waiting.push(resolve)),
      }),
    }),
  };
}
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

test('broker watch: a break ends what is read and is said once; it is back for the next', async () => {
  const connection = playedConnection();
  const said: string[] = [];
  const watch = watchBroker(connection, (line) => said.push(line), 5000);
  await watch.isBack();
  const breaks = watch.breaks();
  for (const type of ['disconnect', 'disconnect', 'reconnecting']) {
    connection.say(type);
    await turn();
  }
  expect(breaks.aborted).toBe(true);
  expect(watch.isAway()).toBe(true);
  const back = watch.isBack();
  connection.say('reconnect');
  await back;
  expect(watch.isAway()).toBe(false);
  expect(watch.breaks().aborted).toBe(false);
  expect(said).toEqual([expect.stringContaining('the broker is gone'), 'the broker is back']);
  watch.stop();
});

test('broker watch: one that stays away is given up with the mend', async () => {
  const connection = playedConnection();
  const watch = watchBroker(connection, () => {}, 20);
  connection.say('disconnect');
  await turn();
  await expect(watch.isBack()).rejects.toMatchObject({
    name: 'BrokerError',
    mend: expect.stringContaining('./switchyard up'),
  });
  watch.stop();
});
