import { sign, verify } from 'node:crypto';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadCredentials, readCredential, readPublicKeys } from './credentials.ts';
import { temporaryFolder } from './server-fixture.ts';

test('credentials: are random for each user and installation, and the same at the next start', async () => {
  await using one = await temporaryFolder();
  await using other = await temporaryFolder();
  const first = await loadCredentials(one.path, ['coder', 'manager']);
  const elsewhere = await loadCredentials(other.path, ['coder']);
  expect(Buffer.from(first['coder']?.password ?? '', 'base64url')).toHaveLength(32);
  expect(
    new Set([first['coder'], first['manager'], elsewhere['coder']].map((each) => each?.password)).size,
  ).toBe(3);
  expect(await loadCredentials(one.path, ['coder', 'manager'])).toEqual(first);
});

test('credentials: what a user signs is checked with the public key of that user only', async () => {
  await using folder = await temporaryFolder();
  const { coder } = await loadCredentials(folder.path, ['coder', 'manager']);
  const keys = await readPublicKeys(folder.path);
  const message = Buffer.from('a journal entry');
  const signature = sign(null, message, coder?.privateKey ?? '');
  expect(verify(null, message, keys['coder'] ?? '', signature)).toBe(true);
  expect(verify(null, message, keys['manager'] ?? '', signature)).toBe(false);
});

test('credentials: a new user is added and the others stay, also among the public keys', async () => {
  await using folder = await temporaryFolder();
  const first = await loadCredentials(folder.path, ['coder']);
  const second = await loadCredentials(folder.path, ['tester']);
  expect(Object.keys(second)).toEqual(['tester']);
  expect(await readCredential(folder.path, 'coder')).toEqual(first['coder']);
  expect(Object.keys(await readPublicKeys(folder.path))).toEqual(['coder', 'tester']);
});

test('credentials: two starts at once agree on them', async () => {
  await using folder = await temporaryFolder();
  const starts = await Promise.all([1, 2, 3].map(() => loadCredentials(folder.path, ['coder', 'manager'])));
  expect(starts[1]).toEqual(starts[0]);
  expect(starts[2]).toEqual(starts[0]);
});

test('credentials: files are for the owner only, and one that others can read is refused with the mend', async () => {
  await using folder = await temporaryFolder();
  await loadCredentials(folder.path, ['coder']);
  const credentials = join(folder.path, 'credentials');
  expect((await stat(credentials)).mode & 0o777).toBe(0o700);
  expect((await readdir(credentials)).sort()).toEqual(['coder.json', 'public-keys.json']);
  for (const file of await readdir(credentials)) {
    expect((await stat(join(credentials, file))).mode & 0o777).toBe(0o600);
  }
  await chmod(join(credentials, 'coder.json'), 0o640);
  await expect(loadCredentials(folder.path, ['coder'])).rejects.toThrow(
    `chmod 600 '${credentials}/coder.json'`,
  );
  await chmod(join(credentials, 'coder.json'), 0o600);
  await chmod(credentials, 0o755);
  await expect(loadCredentials(folder.path, ['coder'])).rejects.toThrow(`chmod 700 '${credentials}'`);
});

test('credentials: a damaged file is named, not replaced', async () => {
  await using folder = await temporaryFolder();
  await loadCredentials(folder.path, ['coder']);
  const file = join(folder.path, 'credentials', 'coder.json');
  await writeFile(file, '{"name": "coder"');
  await expect(loadCredentials(folder.path, ['coder'])).rejects.toThrow(`${file} is damaged`);
  expect(await readFile(file, 'utf8')).toBe('{"name": "coder"');
});

test.each(['../coder', 'Coder', 'public-keys', ''])('credentials: %j cannot name a user', async (name) => {
  await using folder = await temporaryFolder();
  await expect(loadCredentials(folder.path, [name])).rejects.toThrow('cannot name a user');
});
