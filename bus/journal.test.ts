import { afterAll, beforeAll, expect, test } from 'vitest';
import { deriveId, type Envelope } from '../schemas/envelope.ts';
import { exampleEvent } from '../schemas/examples.ts';
import { journalSubject, streamNames } from '../schemas/subject.ts';
import { connect, type Bus } from './connect.ts';
import { openJournals, type Journals } from './journal.ts';
import { openLog } from './log.ts';
import { EVERYTHING, startTestServer, type TestServer } from './server-fixture.ts';
import { ensureStreams } from './streams.ts';

let server: TestServer;
let bus: Bus;
const log = openLog('test', 'silent');
beforeAll(async () => {
  server = await startTestServer();
  bus = await connect(server.url, 'test', { user: EVERYTHING.name, password: EVERYTHING.password });
});
afterAll(async () => {
  await bus?.connection.close();
  await server?.[Symbol.asyncDispose]();
});

const taskId = deriveId('journal', 'task');
let meshes = 0;

/** A mesh of its own on the server: fresh streams, and as many processes as are asked for, each with its own cache. */
async function mesh() {
  const namespace = `j${(meshes += 1)}`;
  const stream = streamNames(namespace).events;
  const fresh = () => ensureStreams(bus, namespace, [], 1000);
  await fresh();
  const journal = journalSubject(namespace, { entity: 'route', taskId, id: 'r1' });
  /** Folds to what the events say, in order. */
  const process_ = (through = bus): Journals<string[]> =>
    openJournals({
      bus: through,
      namespace,
      log,
      initial: [] as string[],
      evolve: (said, { event }) => [...said, (event.data as { why: string }).why],
    });
  /** As if the broker had lost everything, or had been given an older copy of its store. */
  const lose = async () => {
    await bus.manager.streams.delete(stream);
    await fresh();
  };
  const write = async (...said: string[]) => {
    const writer = process_();
    for (const why of said) {
      const folded = await writer.load(journal, true);
      expect(await writer.append(journal, folded, event(journal, folded.count, why))).toBeDefined();
    }
  };
  return { namespace, stream, journal, process: process_, lose, write };
}

/** What is decided on an input when so many events stand on the journal before. */
function event(journal: string, count: number, why: string, inputId = why): Envelope {
  const example = exampleEvent('route.waiting');
  const id = deriveId(journal, inputId, count, 'route.waiting');
  const given = { ...(example.data as { given: object }).given, inputId };
  return { ...example, id, subject: taskId, data: { ...(example.data as object), given, why } };
}

/** A bus whose appends name no expectation: what the compare-and-set is there against. */
function withoutExpectation(through: Bus): Bus {
  const jetstream = Object.create(through.jetstream) as Bus['jetstream'];
  jetstream.publish = (subject, body, options) =>
    through.jetstream.publish(subject, body, { ...options, expect: {} });
  return { ...through, jetstream };
}

test('journal: of two processes that decided on the same tail one commits, and the other reads what it wrote', async () => {
  const { journal, process } = await mesh();
  const [one, zombie] = [process(), process()];
  const [before, stale] = [await one.load(journal, true), await zombie.load(journal, true)];
  expect((await one.append(journal, before, event(journal, 0, 'one')))?.state).toEqual(['one']);
  expect(await zombie.append(journal, stale, event(journal, 0, 'zombie'))).toBeUndefined();
  expect((await zombie.load(journal, false)).state).toEqual(['one']);
});

test('journal: without the expectation both commit, so that the test before this one can fail', async () => {
  const { journal, stream, process } = await mesh();
  const [one, zombie] = [process(), process(withoutExpectation(bus))];
  const [before, stale] = [await one.load(journal, true), await zombie.load(journal, true)];
  expect(await one.append(journal, before, event(journal, 0, 'one'))).toBeDefined();
  expect(await zombie.append(journal, stale, event(journal, 0, 'zombie'))).toBeDefined();
  expect((await bus.manager.streams.info(stream)).state.messages).toBe(2);
});

test('journal: under the same id the stored decision is folded, never the own copy of it (hole 1)', async () => {
  const { journal, process } = await mesh();
  const [one, other] = [process(), process()];
  const stale = await other.load(journal, true);
  const both = (why: string) => event(journal, 0, why, 'the same input');
  await one.append(journal, await one.load(journal, true), both('stored'));
  // Newer servers answer that the expectation is wrong, older ones that it is a duplicate: neither is a commit.
  expect(await other.append(journal, stale, both('own copy'))).toBeUndefined();
  // The same with an expectation that holds: only the duplicate is seen.
  expect(await other.append(journal, await other.load(journal, true), both('own copy'))).toBeUndefined();
  expect((await other.load(journal, false)).state).toEqual(['stored']);
});

test('journal: a cache ahead of a journal that was lost does not fence for ever (hole 5)', async () => {
  const { journal, process, lose, write } = await mesh();
  const one = process();
  await write('a', 'b', 'c');
  const ahead = await one.load(journal, true);
  await lose();
  expect(await one.append(journal, ahead, event(journal, 3, 'd'))).toBeUndefined();
  const again = await one.load(journal, false);
  expect(again.state).toEqual([]);
  expect((await one.append(journal, again, event(journal, 0, 'd')))?.state).toEqual(['d']);
});

test.each([
  ['as many', ['a', 'B', 'C']],
  ['more', ['a', 'B', 'C', 'D']],
  ['fewer', ['a', 'B']],
])(
  'journal: a fresh look sees that %s other events took the places of lost ones (hole 6)',
  async (_, instead) => {
    const { journal, process, lose, write } = await mesh();
    const one = process();
    await write('a', 'b', 'c');
    await one.load(journal, true);
    await lose();
    await write(...instead);
    expect((await one.load(journal, true)).state).toEqual(instead);
  },
);

test('journal: what was folded before the connection broke is not appended to (hole 6)', async () => {
  const { journal, process, lose, write } = await mesh();
  const one = process();
  await write('a', 'b', 'c');
  const stale = await one.load(journal, true);
  await lose();
  await write('a', 'B', 'C');
  one.forgetAll();
  // The places are the same, so the broker itself would take it.
  expect(await one.append(journal, stale, event(journal, 3, 'decided on b and c'))).toBeUndefined();
  expect((await one.load(journal, false)).state).toEqual(['a', 'B', 'C']);
});

test('journal: an entry that its author may not write is passed over, and what follows it is still appended', async () => {
  const { journal, process, write } = await mesh();
  await write('a');
  const forged = { ...event(journal, 1, 'forged'), sender: 'coder' };
  await bus.jetstream.publish(journal, JSON.stringify(forged));
  for (const body of [
    'no JSON at all',
    'null',
    '7',
    '{}',
    '{"type": 7}',
    '{"type": "dev.switchyard.route.waiting.v1"}',
    '',
  ]) {
    await bus.jetstream.publish(journal, body);
  }
  const one = process();
  const folded = await one.load(journal, true);
  expect(folded).toMatchObject({ state: ['a'], count: 1 });
  expect((await one.append(journal, folded, event(journal, 1, 'b')))?.state).toEqual(['a', 'b']);
  expect((await process().load(journal, true)).state).toEqual(['a', 'b']);
});

test('journal: a store that takes nothing is an error to come back to, not a race to run again', async () => {
  const { journal, stream, process } = await mesh();
  const { config } = await bus.manager.streams.info(stream);
  await bus.manager.streams.update(stream, { ...config, max_msgs: 1, discard: 'new' as never });
  const one = process();
  const first = await one.append(journal, await one.load(journal, true), event(journal, 0, 'a'));
  await expect(one.append(journal, first!, event(journal, 1, 'b'))).rejects.toThrow(/maximum messages/);
});

test('journal: an authentic entry that was put there a second time, or in another order, is folded once', async () => {
  const { journal, process, write } = await mesh();
  await write('a', 'b');
  for (const [count, why] of ['a', 'b'].entries())
    await bus.jetstream.publish(journal, JSON.stringify(event(journal, count, why)));
  const one = process();
  const folded = await one.load(journal, true);
  expect(folded).toMatchObject({ state: ['a', 'b'], count: 2 });
  expect((await one.append(journal, folded, event(journal, 2, 'c')))?.state).toEqual(['a', 'b', 'c']);
});
