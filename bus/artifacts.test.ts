import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { artifactsBucket, inboxPrefixOf, permissionsOf } from '../schemas/permissions.ts';
import { artifactLimitBytes, openArtifacts } from './artifacts.ts';
import { connect, type Bus } from './connect.ts';
import { EVERYTHING, startTestServer, type TestServer } from './server-fixture.ts';
import { ensureStreams } from './streams.ts';

const password = 'not-a-secret';
let server: TestServer;
let admin: Bus;
let coder: Bus;
let operator: Bus;
const refused: string[] = [];

beforeAll(async () => {
  const users = (['coder', 'operator'] as const).map((name) => ({
    name,
    password,
    ...permissionsOf(name, 'yard', ['local']),
  }));
  server = await startTestServer({ users: [EVERYTHING, ...users] });
  const as = async (user: string) => {
    const inboxPrefix = user === 'coder' ? inboxPrefixOf('coder') : undefined;
    const bus = await connect(server.url, user, { user, password, ...(inboxPrefix ? { inboxPrefix } : {}) });
    void (async () => {
      for await (const status of bus.connection.status()) {
        if (status.type === 'error') refused.push(String(status.error));
      }
    })();
    return bus;
  };
  [admin, coder, operator] = [await as(EVERYTHING.name), await as('coder'), await as('operator')];
  await ensureStreams(admin, 'yard', ['local'], 2000);
});

afterAll(async () => {
  for (const bus of [admin, coder, operator]) await bus?.connection.close();
  await server?.[Symbol.asyncDispose]();
});

/** What the object store holds, in messages. */
const messages = async () =>
  (await admin.manager.streams.info(`OBJ_${artifactsBucket('yard')}`)).state.messages;

test('artifacts: with the rights of the contract the coder puts, coder and operator get, and nothing is refused', async () => {
  const bytes = randomBytes(3_000_000);
  const mine = openArtifacts(coder, 'yard');
  expect(await mine.has('snapshot.1')).toBe(false);
  expect(await mine.get('snapshot.1')).toBeUndefined();
  expect(await mine.put('snapshot.1', bytes)).toEqual({ wasThere: false });
  expect(await mine.has('snapshot.1')).toBe(true);
  expect(Buffer.compare((await mine.get('snapshot.1'))!, bytes)).toBe(0);
  expect(Buffer.compare((await openArtifacts(operator, 'yard').get('snapshot.1'))!, bytes)).toBe(0);
  await expect(openArtifacts(operator, 'yard').put('snapshot.2', bytes)).rejects.toThrow(/could not be put/);
  expect(
    refused.filter((text) => !text.includes('$O.yard_artifacts.C.') && !text.includes('STREAM.PURGE')),
  ).toEqual([]);
});

test('artifacts: an existing name is left alone, also by two who put at the same time', async () => {
  const store = openArtifacts(coder, 'yard');
  await store.put('once', Buffer.from('first'));
  const before = await messages();
  expect(await store.put('once', Buffer.from('second'))).toEqual({ wasThere: true });
  expect(await messages()).toBe(before);
  expect(Buffer.from((await store.get('once'))!).toString()).toBe('first');

  const several = await Promise.all(
    Array.from({ length: 5 }, (_, place) =>
      openArtifacts(coder, 'yard').put('race', Buffer.from(`writer ${place}`)),
    ),
  );
  const winner = several.findIndex((one) => !one.wasThere);
  expect(several.filter((one) => !one.wasThere)).toHaveLength(1);
  expect(Buffer.from((await store.get('race'))!).toString()).toBe(`writer ${winner}`);
});

test('artifacts: nothing at all is an object too; what is over the limit is refused with its size', async () => {
  const store = openArtifacts(coder, 'yard');
  await store.put('empty', new Uint8Array(0));
  expect(await store.get('empty')).toEqual(new Uint8Array(0));
  const before = await messages();
  await expect(store.put('huge', new Uint8Array(artifactLimitBytes + 1))).rejects.toThrow(
    'huge has 64.0 MiB, and the object store takes up to 64.0 MiB',
  );
  expect(await messages()).toBe(before);
});

test('artifacts: an object whose pieces were changed is an error, not other bytes', async () => {
  const store = openArtifacts(coder, 'yard');
  await store.put('damaged', Buffer.from('as it was'));
  const { seq, subject } = (await admin.manager.streams.getMessage('OBJ_yard_artifacts', {
    last_by_subj: '$O.yard_artifacts.C.*',
  }))!;
  await admin.manager.streams.deleteMessage('OBJ_yard_artifacts', seq);
  await admin.jetstream.publish(subject, Buffer.from('not as it'));
  await expect(store.get('damaged')).rejects.toThrow(
    /damaged \(0.0 MiB\) could not be read.*digests do not match/s,
  );
});
