import { existsSync } from 'node:fs';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLog } from '../../bus/log.ts';
import { temporaryFolder } from '../../bus/server-fixture.ts';
import { openLedger } from './ledger-file.ts';

const keys = { coder: 'a key' };
const log = openLog('test', 'silent');
const rows = Array.from({ length: 2000 }, (_, index) => ({
  sequence: index + 1,
  digest: Buffer.alloc(32, index),
}));
const places = rows.map(({ sequence }) => sequence);
const heldBy = (file: string, publicKeys: Record<string, string> = keys) => {
  const ledger = openLedger(file, publicKeys, log);
  const held = ledger.at(places);
  ledger.close();
  return [...held].map(([sequence, digest]) => ({ sequence, digest: Buffer.from(digest) }));
};
const fill = (file: string) => {
  const ledger = openLedger(file, keys, log);
  ledger.note(rows);
  ledger.close();
};

test('ledger: what was noted is held until the keys are others; a range that has a gap gives no more than was asked', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'checked.sqlite');
  fill(file);
  expect(heldBy(file)).toEqual(rows);
  const ledger = openLedger(file, keys, log);
  expect([...ledger.at([7, 8]).keys()]).toEqual([7, 8]);
  expect(ledger.at([1, 2000]).size).toBe(2);
  expect(ledger.at([]).size + ledger.at([2001]).size).toBe(0);
  ledger.close();
  expect(heldBy(file, { coder: 'another key' })).toEqual([]);
  expect(heldBy(file)).toEqual([]);
});

test('ledger: a file that is missing, damaged or none of ours holds nothing, and is filled again', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'checked.sqlite');
  const pageBytes = 4096;
  const damages = {
    missing: () => rm(file),
    foreign: () => writeFile(file, 'no database'),
    async damaged() {
      const handle = await open(file, 'r+');
      const { size } = await handle.stat();
      await handle.write(Buffer.alloc(size - 2 * pageBytes, 0xff), 0, null, 2 * pageBytes);
      await handle.close();
    },
  };
  for (const [name, damage] of Object.entries(damages)) {
    fill(file);
    await damage();
    expect(heldBy(file), name).toEqual([]);
    fill(file);
    expect(heldBy(file), name).toEqual(rows);
  }
});

test('ledger: one that cannot be written costs time, nothing else', async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, 'taken'), '');
  const file = join(folder.path, 'taken', 'checked.sqlite');
  fill(file);
  expect(heldBy(file)).toEqual([]);
  expect(existsSync(file)).toBe(false);
});
