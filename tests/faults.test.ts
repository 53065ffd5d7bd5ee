import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RawEntry } from '../bus/client.ts';
import { readPublicKeys } from '../bus/credentials.ts';
import type { PublicKeys } from '../bus/signature.ts';
import { shortType, type Envelope } from '../schemas/envelope.ts';
import type { Role } from '../schemas/row.ts';
import { branchViolations, violations } from './oracle.ts';
import { testerWanted } from './scenes.ts';
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
  tester: [...agent.slice(0, -1), 'acted=write-file.2.1', 'relayed'],
  reviewer: agent,
  inference: ['taken', 'decided', 'appended', 'acted', 'resulted', 'relayed'],
};
const kills = Object.fromEntries(
  Object.entries(points).map(([role, list]) => [role, list.map((point) => `${point}:kill`)]),
) as Partial<Record<Role, string[]>>;

let yard: Yard;
let keys: PublicKeys = {};
/** Of the last task. */
let raw: RawEntry[] = [];
beforeAll(async () => {
  yard = await openYard({
    processes: { manager: 1, router: 1, inference: 1, planner: 1, coder: 1, tester: 1, reviewer: 1 },
    faults: structuredClone(kills),
  });
});
afterAll(() => yard?.stop());

test('faults: killed at every point, each role goes on in another process and repeats no effect', async (context) => {
  if (!yard.isSandboxed) context.skip('no sandbox here, so a program that may have run is never run again');
  const taskIds = await Promise.all([
    yard.submit({ goal: `The sum is wrong: mend it ${testerWanted}`, plan: 'planner' }),
    yard.submit(),
    yard.submit(),
  ]);
  for (const taskId of taskIds) expect(await yard.ended(taskId)).toBe('task.completed');
  // Which process takes what is chance, so that the three may be done before every process has met its point.
  const wanted = Object.values(points).flat().length;
  for (let more = 0; more < 5 && yard.deaths.length < wanted; more += 1) {
    const taskId = await yard.submit({ goal: `The sum is wrong: mend it ${testerWanted}`, plan: 'planner' });
    taskIds.push(taskId);
    expect(await yard.ended(taskId)).toBe('task.completed');
  }
  // A run in which no fault hit is a failure.
  expect(Object.values(yard.faults).flat()).toEqual([]);
  for (const [role, list] of Object.entries(points)) {
    expect(yard.deaths.filter((death) => death.role === role)).toEqual(
      list.map(() => ({ role, how: 'was killed by SIGKILL' })),
    );
  }
  keys = await readPublicKeys(yard.stateDirectory);
  for (const taskId of taskIds) {
    raw = await yard.client.readRaw(taskId);
    expect(await yard.problemsOf(taskId)).toEqual([]);
  }
}, 240_000);

test('faults: the oracle that judges these records sees what is wrong with one', (context) => {
  if (raw.length === 0) context.skip('no record: the test before this one did not run');
  const judge = (entries: RawEntry[]) => violations(entries, namespace, keys);
  const placeOf = (wanted: string) =>
    raw.findIndex(
      ({ body }) => shortType((JSON.parse(Buffer.from(body).toString()) as Envelope).type) === wanted,
    );
  for (const type of ['task.accepted', 'run.started', 'run.stepped', 'call.intended', 'task.handed_over']) {
    expect(judge(raw.toSpliced(placeOf(type), 1))).not.toEqual([]);
  }
  for (const type of ['run.taken_over', 'run.stepped', 'call.completed', 'task.completed']) {
    const place = placeOf(type);
    const twice = raw.toSpliced(place, 0, raw[place]!);
    expect(judge(twice)).not.toEqual([]);
  }
  const completed = raw[placeOf('task.completed')]!;
  const altered = {
    ...completed,
    body: Buffer.from(Buffer.from(completed.body).toString().replace('"branch"', '"twig"')),
  };
  expect(judge([...raw.filter((entry) => entry !== completed), altered])).toEqual(
    expect.arrayContaining([expect.stringContaining('not signed by the manager')]),
  );
  expect(branchViolations(raw.toSpliced(placeOf('run.stepped'), 1), yard.repository)).toEqual([]);
  const edit = raw.findLastIndex(({ body }) =>
    /"number":2,"outcome":\{"status":"ok"/.test(Buffer.from(body).toString()),
  );
  expect(branchViolations(raw.toSpliced(edit, 1), yard.repository)).not.toEqual([]);
});
