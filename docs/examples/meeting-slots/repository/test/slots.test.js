import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeSlots, hasConflict, overlaps } from '../src/slots.js';

const day = { start: 540, end: 1020 };

test('overlaps: meetings apart do not', () => {
  assert.equal(overlaps({ start: 540, end: 600 }, { start: 660, end: 720 }), false);
});

test('overlaps: one inside the other does', () => {
  assert.equal(overlaps({ start: 540, end: 720 }, { start: 600, end: 660 }), true);
});

test('overlaps: partly at the same time does', () => {
  assert.equal(overlaps({ start: 540, end: 630 }, { start: 600, end: 660 }), true);
});

test('overlaps: the same time does', () => {
  assert.equal(overlaps({ start: 540, end: 600 }, { start: 540, end: 600 }), true);
});

test('overlaps: back to back does not', () => {
  assert.equal(overlaps({ start: 540, end: 600 }, { start: 600, end: 660 }), false);
});

test('hasConflict: no meeting, no conflict', () => {
  assert.equal(hasConflict([]), false);
});

test('hasConflict: finds one among three', () => {
  assert.equal(hasConflict([{ start: 900, end: 960 }, { start: 540, end: 600 }, { start: 930, end: 990 }]), true);
});

test('hasConflict: a day of meetings back to back has none', () => {
  assert.equal(hasConflict([{ start: 600, end: 660 }, { start: 540, end: 600 }, { start: 660, end: 720 }]), false);
});

test('freeSlots: a day without meetings is one slot', () => {
  assert.deepEqual(freeSlots([], day, 30), [day]);
});

test('freeSlots: the time between two meetings', () => {
  const meetings = [{ start: 540, end: 600 }, { start: 660, end: 1020 }];
  assert.deepEqual(freeSlots(meetings, day, 30), [{ start: 600, end: 660 }]);
});

test('freeSlots: leaves out what is too short', () => {
  const meetings = [{ start: 540, end: 600 }, { start: 615, end: 1020 }];
  assert.deepEqual(freeSlots(meetings, day, 30), []);
});
