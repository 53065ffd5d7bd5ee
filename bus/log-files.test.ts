import { appendFileSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { logFilesIn, putLogAside } from './log-files.ts';

test('log files: one that has grown is put aside while it is written, and the oldest goes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-logs-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'coder-1.log');
  const writer = openSync(file, 'a');
  for (let round = 0; round < 5; round += 1) {
    writeSync(writer, `round ${round}\n`);
    putLogAside(file, 5);
  }
  writeSync(writer, 'now\n');
  putLogAside(file, 5);
  expect(readFileSync(file, 'utf8')).toBe('now\n');
  appendFileSync(join(folder, 'router-2.log'), '');
  appendFileSync(join(folder, 'notes.txt'), '');
  expect(logFilesIn(folder).map((one) => basename(one))).toEqual([
    'coder-1.log.3',
    'coder-1.log.2',
    'coder-1.log.1',
    'coder-1.log',
    'router-2.log',
  ]);
  expect(readFileSync(`${file}.1`, 'utf8')).toBe('round 4\n');
  expect(logFilesIn(join(folder, 'nothing'))).toEqual([]);
});
