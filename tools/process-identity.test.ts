import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isDead, processIdentity } from './process-identity.ts';

test('process identity: a living process is not dead, a killed one is, and so is one whose number was given away', async () => {
  const child = spawn('sleep', ['60']);
  const identity = processIdentity(child.pid!);
  expect(identity).toMatch(/^[A-Za-z0-9-]+~\d+~\d+$/);
  expect([isDead(identity), isDead(processIdentity())]).toEqual([false, false]);
  expect(isDead(identity.replace(/\d+$/, '1'))).toBe(process.platform === 'linux');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isDead(identity)).toBe(true);
});

test('process identity: another host, and what is no identity, is never taken for dead', () => {
  const [, ...rest] = processIdentity().split('~');
  expect(isDead(['another-host', '999999999', rest[1]].join('~'))).toBe(false);
  for (const text of [
    '',
    'x',
    processIdentity().replace(/~\d+~/, '~x~'),
    `${processIdentity().split('~')[0]}~0~0`,
  ]) {
    expect(isDead(text), text).toBe(false);
  }
});
