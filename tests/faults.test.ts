import { afterAll, beforeAll, expect, test } from 'vitest';
import { readPublicKeys } from '../bus/credentials.ts';
import type { Role } from '../schemas/row.ts';
import { branchViolations, violations } from './oracle.ts';
import { namespace, openYard, type Yard } from './yard.ts';

/** At which point of which message each successive process of a role kills itself. */
const agent = [
  'taken=run.start',
  'decided=run.started',
  'appended=run.started',
  'acted',
  'resulted',
  'relayed',
];
const points: Partial<Record<Role, string[]>> = {
  manager: [
    'taken=task.submit',
    'decided=task.accepted',
    'appended=task.handed_over',
    'relayed=task.completed',
  ],
  router: ['taken', 'decided', 'appended', 'relayed'],
  planner: agent,
  coder: [
    ...agent,
    'appended=run.replied',
    'acted=edit-file.2.1',
    'resulted=run.stepped',
    'relayed=call.answered',
  ],
  reviewer: agent,
  inference: ['taken', 'decided', 'appended', 'acted', 'resulted', 'relayed'],
};
const kills = Object.fromEntries(
  Object.entries(points).map(([role, list]) => [role, list.map((point) => `${point}:kill`)]),
) as Partial<Record<Role, string[]>>;

let yard: Yard;
beforeAll(async () => {
  yard = await openYard({
    processes: { manager: 1, router: 1, inference: 1, planner: 1, coder: 1, reviewer: 1 },
    faults: structuredClone(kills),
  });
}, 60_000);
afterAll(() => yard?.stop(), 30_000);

test('faults: killed at every point, each role goes on in another process and repeats no effect', async (context) => {
  if (!yard.isSandboxed) context.skip('no sandbox here, so a program that may have run is never run again');
  const taskIds = await Promise.all([
    yard.submit({ goal: 'The sum is wrong', plan: 'planner' }),
    yard.submit(),
    yard.submit(),
  ]);
  const t = Date.now();
  setTimeout(() => console.log(yard.faults, yard.deaths.length), 25000);
  for (const taskId of taskIds) expect(await yard.ended(taskId, 60_000)).toBe('task.completed');
  console.log(Date.now() - t);
  // A run in which no fault hit is a failure.
  expect(Object.values(yard.faults).flat()).toEqual([]);
  for (const [role, list] of Object.entries(points)) {
    expect(yard.deaths.filter((death) => death.role === role)).toEqual(
      list.map(() => ({ role, how: 'was killed by SIGKILL' })),
    );
  }
  const keys = await readPublicKeys(yard.stateDirectory);
  for (const taskId of taskIds) {
    const raw = await yard.client.readRaw(taskId);
    expect(violations(raw, namespace, keys)).toEqual([]);
    expect(branchViolations(raw, yard.repository)).toEqual([]);
  }
}, 90_000);
