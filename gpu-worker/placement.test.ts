import { expect, test } from 'vitest';
import type { GgufHeader } from '../inference/backends/gguf.ts';
import { placeModel, refuseEmbedding, type Card } from './placement.ts';

/** 8 GB in 31 layers and what comes behind them, 100 kB of cache a token: 0.8 GB for a slot of 8000 tokens. */
const header: GgufHeader = {
  architecture: 'llama',
  quantisation: 'Q8_0',
  contextTokens: 32_768,
  fileBytes: 8e9,
  layers: 31,
  cacheBytesPerToken: 100_000,
  hasChatTemplate: true,
};
const model = { name: 'big', contextTokens: 8000 };
const machineOf = (gigabytes: number) => ({ bytes: gigabytes * 1e9, of: 'this machine' });
const cardOf = (gigabytes: number, more: Partial<Card> = {}): Card => ({
  names: ['a card'],
  freeBytes: gigabytes * 1e9,
  isUnified: false,
  ...more,
});

test('placement: without a card, slots are as many as half of the free memory holds', () => {
  const slots = (gigabytes: number) => placeModel(model, header, machineOf(gigabytes)).slots;
  expect([slots(29), slots(23), slots(20), slots(18), slots(9.1)]).toEqual([8, 4, 2, 1, 1]);
  expect(placeModel(model, header, machineOf(30))).toEqual({ slots: 8, gpuLayers: 0 });
});

test('placement: a card that holds the whole model decides the slots, however much memory the machine has', () => {
  const on = (gigabytes: number) => placeModel(model, header, machineOf(200), cardOf(gigabytes));
  expect(on(80)).toEqual({ slots: 8, gpuLayers: 'fit' });
  expect([on(17).slots, on(13).slots, on(11).slots, on(10.1).slots]).toEqual([8, 4, 2, 1]);
});

test('placement: what a card does not hold needs memory of the machine, which then decides', () => {
  const on = (card: number, machine: number) =>
    placeModel(model, header, machineOf(machine), cardOf(card)).slots;
  expect([on(6, 200), on(6, 12), on(6, 8)]).toEqual([8, 2, 1]);
  // One that holds nothing leaves all to the machine.
  expect([on(0.1, 29), on(0, 23)]).toEqual([8, 4]);
  // The machine need not hold what lies on the card.
  expect(placeModel({ ...model, slots: 1 }, header, machineOf(0.5), cardOf(24)).slots).toBe(1);
  expect(() => placeModel({ ...model, slots: 1 }, header, machineOf(4), cardOf(4))).toThrow(
    /big needs about 57\d\d MB \(file \d+ MB, cache \d+ MB for 1 slots of 8000 tokens, 200 MB besides\), and this machine has 4000 MB free/,
  );
});

test('placement: layers that are asked for are refused with the numbers where the card does not hold them', () => {
  const asked = { ...model, slots: 4, gpuLayers: 32 };
  expect(() => placeModel(asked, header, machineOf(200), cardOf(8))).toThrow(
    'big with 32 of its 32 layers on the card needs about 11400 MB (file 8000 MB, cache 3200 MB for 4 slots of 8000 tokens, 200 MB besides), and a card has 8000 MB free; lower its gpuLayers to 22, or its contextTokens or slots, or leave gpuLayers out',
  );
  expect(placeModel({ ...asked, gpuLayers: 22 }, header, machineOf(200), cardOf(8))).toEqual({
    slots: 4,
    gpuLayers: 22,
  });
  // Without `slots` fewer are taken first.
  expect(placeModel({ ...model, gpuLayers: 33 }, header, machineOf(200), cardOf(11)).slots).toBe(2);
  expect(() => placeModel({ ...model, gpuLayers: 16 }, header, machineOf(200), cardOf(0))).toThrow(
    /16 of its 32 layers on the card needs about 4600 MB .* lower its gpuLayers to 0,/,
  );
});

test('placement: two cards hold together what one does not, and each wants something beside', () => {
  const two = cardOf(12, { names: ['one', 'other'] });
  const asked = { ...model, slots: 4, gpuLayers: 32 };
  expect(placeModel(asked, header, machineOf(200), two).slots).toBe(4);
  expect(() => placeModel({ ...asked, slots: 8 }, header, machineOf(200), two)).toThrow(
    /needs about 14800 MB .*400 MB besides\), and one and other has 12000 MB free/,
  );
});

test('placement: a card without memory of its own takes it from the machine', () => {
  const unified = cardOf(16, { isUnified: true });
  expect(placeModel(model, header, machineOf(20), unified).slots).toBe(2);
  expect(() => placeModel(model, header, machineOf(8), unified)).toThrow(/this machine has 8000 MB free/);
});

test('placement: texts are not embedded where the memory does not suffice for it', () => {
  expect(refuseEmbedding('big', header, 2048, machineOf(1))).toBeUndefined();
  expect(() => refuseEmbedding('big', header, 2048, machineOf(0.3))).toThrow(
    'to embed texts big needs about 405 MB more, and this machine has 300 MB free',
  );
});
