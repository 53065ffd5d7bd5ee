import { expect, test } from 'vitest';
import {
  accepted,
  acceptedAtMs,
  fold,
  inputOf,
  interrupted,
  meet,
  stored,
  taskId,
  type Event,
} from './given.ts';
import { evolve } from './task.ts';
import { watchOf, type WatchFacts } from './watch.ts';
import { decide } from './workflow.ts';

const dueAtMs = acceptedAtMs + 10_000;
const all = { coder: 1, router: 1, inference: 1 };
const current = fold([accepted()]).work!.runId;

const due =
  (looked: WatchFacts, atMs = dueAtMs, runId = current) =>
  () =>
    inputOf('task.watch', { runId, role: 'coder', dueAtMs }, atMs, looked);
const saidWaiting =
  (role: string): Event =>
  () => ({
    type: 'task.waiting',
    data: { runId: current, role, mend: 'start it' },
  });

test.each([
  { it: 'nothing is said while everyone lives', when: due({ living: all }), then: 'later' },
  { it: 'a role without a live process is said', when: due({ living: { ...all, coder: 0 } }), then: 'coder' },
  { it: 'a router is needed to begin', when: due({ living: { coder: 1, inference: 1 } }), then: 'router' },
  {
    it: 'a router is not needed any more',
    when: due({ living: { coder: 1, inference: 1 }, lastProgressAtMs: 1 }),
    then: 'later',
  },
  { it: 'a model is always needed', when: due({ living: { coder: 1, router: 1 } }), then: 'inference' },
  {
    it: 'progress says that somebody lives',
    when: due({ living: {}, lastProgressAtMs: dueAtMs - 9_999 }),
    then: 'later',
  },
  {
    it: 'progress of long ago says nothing',
    when: due({ living: {}, lastProgressAtMs: dueAtMs - 10_000 }),
    then: 'coder',
  },
  { it: 'nothing known of the living is nobody living', when: due({}), then: 'coder' },
  { it: 'one that is early is put back', when: due({ living: {} }, dueAtMs - 1), then: 'later' },
  {
    it: 'one of a run that is past is nothing',
    when: due({ living: {} }, dueAtMs, 'another'),
    then: 'nothing',
  },
])('watch: $it', ({ when, then }) => {
  const met = meet([accepted()], when);
  expect(met.type === 'task.waiting' ? met.data['role'] : met.type).toBe(then);
  if (met.type === 'task.waiting') expect(met.data['mend']).toBe(`./switchyard start ${then}`);
});

test('watch: one of a paused task is nothing', () => {
  expect(meet([accepted(), interrupted('asked')], due({ living: {} })).type).toBe('nothing');
});

test('watch: the same is said once, and again only after progress', () => {
  const history = [accepted(), saidWaiting('coder')];
  expect(meet(history, due({ living: {} })).type).toBe('later');
  expect(meet(history, due({ living: { coder: 1, router: 1 } })).data['role']).toBe('inference');
  const afterProgress = due({ living: {}, lastProgressAtMs: acceptedAtMs + 2000 }, acceptedAtMs + 60_000);
  expect(meet(history, afterProgress).data['role']).toBe('coder');
});

test('watch: after it spoke the next one has a name of its own, for a handled one would be swallowed', () => {
  const before = fold([accepted()]);
  const input = due({ living: {} })();
  const decision = decide(before, input);
  if (decision.do !== 'append') throw new Error('it waits');
  const after = evolve(before, stored(decision.type, decision.data, input.id, input.atMs));
  expect(watchOf(before)).toMatchObject({ key: `watch|${current}|0`, data: { dueAtMs } });
  expect(watchOf(after)).toMatchObject({ key: `watch|${current}|1`, data: { dueAtMs: dueAtMs + 5000 } });
  expect(after).toMatchObject({ phase: 'running', taskId });
});
