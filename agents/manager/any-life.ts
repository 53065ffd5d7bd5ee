/** For tests only: any sequence of what may happen to a task. */
import fc from 'fast-check';

const nat = (max: number) => fc.nat({ max });
const is = <const Name extends string>(name: Name) => fc.constant(name);
/** Good ends are the most likely, or few lives would come to a review. */
const mostly = <const Value>(usual: Value, ...others: Value[]) =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constant(usual) },
    { weight: 2, arbitrary: fc.constantFrom(...others) },
  );

const conclusion = fc.record({
  act: is('conclude'),
  back: mostly(0, 1, 2),
  ending: mostly(
    ...(['done', 'red', 'green_already', 'stopped', 'steps', 'budget'] as const),
    ...(['model', 'schema', 'indeterminate', 'setup', 'failed'] as const),
  ),
  verdict: fc.constantFrom('approve', 'changes', 'changes', 'blocked'),
  findings: fc.subarray(['F1', 'F2', 'F3', 'F4', 'F5', 'F6'], { maxLength: 2 }),
  items: fc.array(fc.constantFrom('coder', 'tester'), { maxLength: 3 }),
  commit: mostly('new', 'unchanged', 'base'),
  tests: mostly('green', 'red', 'red', 'none'),
  cost: mostly(0, 400_000, 5_000_000),
});
const deliveries = mostly(1, 20);
const living = fc.subarray(['coder', 'tester', 'planner', 'reviewer', 'router', 'inference']);

const oneAct = fc.oneof(
  { weight: 60, arbitrary: conclusion },
  {
    weight: 12,
    arbitrary: fc.record({
      act: is('resume'),
      deliveries,
      cycles: nat(2),
      hops: nat(3),
      budget: mostly(0, 9_000_000),
      deadlineMs: mostly(0, 500, 60_000),
    }),
  },
  { weight: 8, arbitrary: fc.record({ act: is('answer'), deliveries }) },
  { weight: 6, arbitrary: fc.record({ act: is('approve'), deliveries }) },
  { weight: 4, arbitrary: fc.record({ act: is('pause') }) },
  { weight: 1, arbitrary: fc.record({ act: is('cancel') }) },
  { weight: 1, arbitrary: fc.record({ act: is('dead letter') }) },
  { weight: 4, arbitrary: fc.record({ act: is('watch'), back: nat(1), living }) },
  { weight: 3, arbitrary: fc.record({ act: is('deadline'), staleMs: mostly(0, 1) }) },
  { weight: 6, arbitrary: fc.record({ act: is('pass'), ms: fc.constantFrom(1, 9_000, 60_000) }) },
  { weight: 12, arbitrary: fc.record({ act: is('again'), back: nat(8) }) },
);

const submit = fc.record({
  act: is('submit'),
  plan: fc.constantFrom('single', 'planner', 'planner'),
  approvePlan: fc.constantFrom(true, false, false, undefined),
  unattended: fc.constantFrom(true, false, undefined),
  cycles: nat(3),
  hops: nat(7),
  deadlineMs: mostly(3_600_000, 100_000, 5_000),
});
export type Act = typeof oneAct | typeof submit extends fc.Arbitrary<infer One> ? One : never;

/** What happens to a task, its submit first or, now and then, overtaken. */
export const anyLife: fc.Arbitrary<Act[]> = fc
  .tuple(
    fc.array(oneAct, { maxLength: 2, depthIdentifier: 'before' }),
    submit,
    fc.array(oneAct, { minLength: 5, maxLength: 45, size: 'max' }),
    fc.constantFrom(false, false, false, true),
  )
  .map(([before, first, after, isOvertaken]) => [...(isOvertaken ? before : []), first, ...after]);
