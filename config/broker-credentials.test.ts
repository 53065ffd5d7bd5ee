import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { brokerCredentials } from './broker-credentials.ts';
import { loadConfig } from './load.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-broker-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function read(text: string) {
  const credentials = join(folder, 'broker.json');
  writeFileSync(credentials, text, { mode: 0o600 });
  const file = join(folder, 'switchyard.yaml');
  writeFileSync(file, 'mesh: { url: nats://host:4222, credentials: broker.json }\n');
  return brokerCredentials(loadConfig({ file, stateDirectory: join(folder, 's'), environment: {} }).mesh);
}

test('broker credentials: user and password come out of the file beside the configuration', () => {
  expect(read('{"user": "u", "password": "p"}')).toEqual({ user: 'u', password: 'p' });
});

test.each(['hunter2', 'null', '{"user": "u"}', '{"user": "", "password": "hunter2"}'])(
  'broker credentials: a file that holds none (%s) is named with the mend and not shown',
  (text) => {
    expect(() => read(text)).toThrow(/broker.json: .*; write \{"user"/);
    expect(() => read(text)).not.toThrow(/hunter2/);
  },
);
