import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { linkLifeMs, makeToken } from '../../config/page-link.ts';
import { openSessions, passwordLifeMs, sessionLifeMs, type Sessions } from './sessions.ts';

const linkSecret = 'a secret of the mesh';
let folder: string;
let file: string;
let nowMs: number;
/** What a broker would be told, oldest first. */
let told: string[][];
let isBrokerAway: boolean;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-sessions-'));
  file = join(folder, 'sessions.json');
  nowMs = Date.now();
  told = [];
  isBrokerAway = false;
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (): Sessions =>
  openSessions({
    file,
    linkSecret,
    nowMs: () => nowMs,
    letIn: (users) => {
      if (isBrokerAway) return Promise.reject(new Error('the broker is away'));
      told.push(users.map((one) => `${one.name} ${one.password}`));
      return Promise.resolve();
    },
  });
const token = () => makeToken(linkSecret, nowMs);

test('sessions: one that is over ends for the broker too, and its cookie is worth nothing', async () => {
  const sessions = open();
  const first = (await sessions.exchange(token()))!;
  nowMs += sessionLifeMs / 2;
  const second = (await sessions.exchange(token()))!;
  nowMs += sessionLifeMs / 2;
  await sessions.sweep();
  expect(told.at(-1)).toEqual([`${second.session.user} ${second.session.password}`]);
  expect(await sessions.resume(first.cookie)).toBeUndefined();
  expect(await sessions.resume(second.cookie)).toMatchObject({ user: second.session.user });
  const before = told.length;
  await sessions.sweep();
  expect(told).toHaveLength(before);
});

test('sessions: who comes back within the hour keeps the password, who comes later gets another', async () => {
  const sessions = open();
  const { cookie, session } = (await sessions.exchange(token()))!;
  nowMs += passwordLifeMs - 1;
  expect(await sessions.resume(cookie)).toEqual(session);
  nowMs += 1;
  const rotated = (await sessions.resume(cookie))!;
  expect(rotated).toMatchObject({ user: session.user, expiresAtMs: session.expiresAtMs });
  expect(rotated.password).not.toBe(session.password);
  expect(told.at(-1)).toEqual([`${session.user} ${rotated.password}`]);
  // Another tab that was thrown out gets the same, and throws nobody out.
  expect(await sessions.resume(cookie)).toEqual(rotated);
});

test('sessions: a link works for one of two that come at once', async () => {
  const sessions = open();
  const one = token();
  const both = await Promise.all([sessions.exchange(one), sessions.exchange(one)]);
  expect(both.filter(Boolean)).toHaveLength(1);
});

test('sessions: after a restart links stay used and browsers stay let in; the file opens nothing by itself', async () => {
  const used = token();
  const { cookie, session } = (await open().exchange(used))!;
  const again = open();
  await again.restore();
  expect(told.at(-1)).toEqual([`${session.user} ${session.password}`]);
  expect(await again.exchange(used)).toBeUndefined();
  expect(await again.resume(cookie)).toEqual(session);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).not.toContain(cookie);
  nowMs += linkLifeMs;
  await again.sweep();
  expect((JSON.parse(readFileSync(file, 'utf8')) as { used: object }).used).toEqual({});
  expect(await again.exchange(used)).toBeUndefined();
});

test('sessions: a broker that is away lets nobody in, and does not give a used link back', async () => {
  const sessions = open();
  const one = token();
  isBrokerAway = true;
  await expect(sessions.exchange(one)).rejects.toThrow('away');
  isBrokerAway = false;
  expect(await sessions.exchange(one)).toBeUndefined();
  expect(await sessions.exchange(token())).toBeDefined();
});

test('sessions: a damaged file lets nobody in and breaks nothing; the oldest give way to new ones', async () => {
  writeFileSync(file, '{"sessions": 3');
  const sessions = open();
  const cookies: string[] = [];
  for (let count = 0; count < 22; count += 1) cookies.push((await sessions.exchange(token()))!.cookie);
  expect(told.at(-1)).toHaveLength(20);
  expect(await sessions.resume(cookies[1]!)).toBeUndefined();
  expect(await sessions.resume(cookies[2]!)).toBeDefined();
});
