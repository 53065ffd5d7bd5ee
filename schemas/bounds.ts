import Type, { type Static } from 'typebox';

/** The most that these may be, also where a person adds to them. */
export const mostLimits = { hops: 50, cycles: 20, steps: 1000 } as const;

/** How far a task may go. Running out is an event with a reason, never a silent stop and never a success. */
export const Limits = Type.Object(
  {
    hops: Type.Integer({
      minimum: 0,
      maximum: mostLimits.hops,
      description: 'Hand-offs between agents within a work item',
    }),
    cycles: Type.Integer({
      minimum: 0,
      maximum: mostLimits.cycles,
      description: 'Review cycles: changes asked for and made',
    }),
    steps: Type.Integer({
      minimum: 1,
      maximum: mostLimits.steps,
      description: 'Model and tool calls within one run',
    }),
    attempts: Type.Integer({
      minimum: 1,
      maximum: 20,
      description: 'Test runs that may be red within one run',
    }),
    corrections: Type.Integer({
      minimum: 0,
      maximum: 20,
      description:
        'Replies in a row that may break their schema, and failing calls that may be made again in a row',
    }),
    budgetMicroDollars: Type.Integer({
      minimum: 0,
      description: 'What the models of the whole task may cost',
    }),
    deadlineMs: Type.Integer({
      minimum: 1000,
      description: 'How long the task may take, from its acceptance',
    }),
  },
  { description: 'Bounds of a task' },
);
export type Limits = Static<typeof Limits>;

/** What holds where nobody says otherwise; the operator's configuration may set others. */
export const defaultLimits: Limits = {
  hops: 5,
  cycles: 2,
  steps: 60,
  attempts: 3,
  corrections: 3,
  budgetMicroDollars: 5_000_000,
  deadlineMs: 3_600_000,
};

/** A message may tighten a bound, never loosen it. */
export function tighten(limits: Limits, asked: Partial<Limits> = {}): Limits {
  const tightened = { ...limits };
  for (const name of Object.keys(limits) as (keyof Limits)[]) {
    const wanted = asked[name];
    if (wanted !== undefined) tightened[name] = Math.min(limits[name], wanted);
  }
  return tightened;
}
