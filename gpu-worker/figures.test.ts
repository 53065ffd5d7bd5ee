import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { openFigures } from './figures.ts';
import type { Loaded } from './load.ts';
import { openSlots } from './slots.ts';

const folder = mkdtempSync(join(tmpdir(), 'switchyard-figures-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

/** Stands for NVIDIA's own program, of which there is none without its cards. */
function playCards(script: string): void {
  writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  vi.stubEnv('PATH', [folder, process.env['PATH']].join(delimiter));
}

/** A model as if it lay on cards of which so many bytes are taken. */
const loadedOn = (used: number | undefined) =>
  ({
    llama: { getVramState: () => Promise.resolve({ total: 80e9, used, free: 80e9 - (used ?? 0) }) },
    ...(used !== undefined && { card: { names: ['played'], freeBytes: 80e9, isUnified: false } }),
    slots: 4,
    threads: 3,
  }) as unknown as Loaded;

function figuresOf(loaded: Loaded) {
  return openFigures(loaded, openSlots(4));
}

test('figures: on cards they hold the memory that is taken and the utilisation of the busiest', async () => {
  playCards(`[ "$*" = '--query-gpu=utilization.gpu --format=csv,noheader,nounits' ] && printf '37\\n81\\n'`);
  const figures = figuresOf(loadedOn(5e9));
  await expect
    .poll(() => figures.now())
    .toMatchObject({ gpuMemoryBytes: 5e9, gpuUtilisation: 81, threads: 3, slots: 4, freeSlots: 4 });
  figures.stop();
});

test('figures: what a card or its program does not tell is left out, and without a card nobody is asked', async () => {
  playCards('exit 9');
  const figures = figuresOf(loadedOn(5e9));
  await expect.poll(() => figures.now()).toMatchObject({ gpuMemoryBytes: 5e9 });
  expect(figures.now()).not.toHaveProperty('gpuUtilisation');
  figures.stop();

  const without = figuresOf(loadedOn(undefined));
  expect(without.now()).not.toHaveProperty('gpuMemoryBytes');
  without.stop();
});
