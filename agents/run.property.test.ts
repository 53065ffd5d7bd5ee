import fc from 'fast-check';
import { expect, test } from 'vitest';
import { verifyTask } from '../replay/verify.ts';
import { shortType } from '../schemas/envelope.ts';
import type { Outcome } from '../schemas/run.ts';
import type { Input } from '../schemas/service.ts';
import { definitions } from './roles.ts';
import { openIntent } from './run.ts';
import {
  aRun,
  broken,
  call,
  choiceOf,
  edited,
  finish,
  green,
  limitsOf,
  red,
  replyOf,
  type Life,
  type LifeOptions,
} from './run-for-tests.ts';

/** Whatever happens to a run; numbers choose among what there is. */
type Happening =
  | { it: 'starts' | 'is stopped' | 'brings a stale outcome' }
  | { it: 'is answered' | 'fails' | 'is called off'; which: number; said: number; cost: number }
  | { it: 'is due'; which: number; afterMs: number }
  | { it: 'performs'; outcome: number }
  | { it: 'is taken over' }
  | { it: 'meets again'; which: number; deliveries: number };

const replies = [
  replyOf(''),
  replyOf('I will begin.'),
  replyOf('Cut o', { finish: 'length' }),
  replyOf([finish()]),
  replyOf([finish({})]),
  replyOf([broken('finish', '{')]),
  replyOf([finish(), finish({ summary: 'b' }, 'two')]),
  replyOf([finish({ verdict: 'approve', summary: 'Right.' })]),
  replyOf([call('edit-file')]),
  replyOf([call('edit-file'), call('run-program'), finish()]),
  replyOf([call('prepare'), call('run-tests'), call('no such tool')]),
  replyOf([broken('list-dir', '{"a')], { finish: 'length' }),
];
const outcomes: Outcome[] = [
  edited,
  green,
  red,
  { ...red, status: 'ok' },
  { status: 'failed', output: 'no match' },
  { status: 'denied', output: 'outside' },
  { status: 'ok', output: 'text' },
];
const endingOutcomes: Outcome[] = [green, red, edited];

const place = fc.nat(20);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({ it: fc.constantFrom('starts', 'is stopped', 'brings a stale outcome') }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      it: fc.constantFrom('is answered', 'is answered', 'is answered', 'fails', 'is called off'),
      which: place,
      said: place,
      cost: fc.nat(1000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      it: fc.constant('is due' as const),
      which: place,
      afterMs: fc.integer({ min: -2, max: 2 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ it: fc.constant('performs' as const), outcome: place }) },
  { weight: 1, arbitrary: fc.record({ it: fc.constant('is taken over' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ it: fc.constant('meets again' as const), which: place, deliveries: fc.nat(3) }),
  },
) as fc.Arbitrary<Happening>;

const options: fc.Arbitrary<LifeOptions> = fc
  .record({
    steps: fc.integer({ min: 1, max: 14 }),
    attempts: fc.integer({ min: 1, max: 3 }),
    corrections: fc.integer({ min: 0, max: 2 }),
    budgetMicroDollars: fc.integer({ min: 0, max: 12_000 }),
    models: fc.integer({ min: 1, max: 3 }),
    isPaid: fc.boolean(),
    isOpaque: fc.boolean(),
    goalIsTests: fc.boolean(),
    hasTests: fc.boolean(),
  })
  .map(({ models, isPaid, isOpaque, goalIsTests, hasTests, ...limits }) => ({
    work: { limits: limitsOf(limits), goalIsTests, ...(hasTests ? {} : { test: undefined }) },
    // A reply of at most 100 tokens costs up to 1000 micro-dollars: no happening costs more than a call's worst case.
    choices: Array.from({ length: models }, (_, index) =>
      choiceOf(`model-${index}`, isPaid ? { maxTokens: 100, outputMicroDollars: 10_000_000 } : {}),
    ),
    effects: {
      'run-program': isOpaque ? ('opaque' as const) : ('idempotent' as const),
      'edit-file': 'queryable' as const,
    },
  }));

/** A run with the memory of the world around it: a call ends once, and its end is told as often as may be. */
class World {
  readonly life: Life;
  readonly met: Input[] = [];
  readonly ends = new Map<string, Input>();
  readonly heard = new Set<string>();
  readonly calls: string[] = [];

  readonly isPaid: boolean;

  constructor(life: Life, given: LifeOptions) {
    this.life = life;
    this.isPaid = given.choices!.some((choice) => choice.outputMicroDollars > 0);
  }

  meet(input: Input): void {
    this.met.push(input);
    this.life.meet(input);
    const { opens } = this.life.run;
    if (opens?.kind === 'call' && !this.calls.includes(opens.callId)) this.calls.push(opens.callId);
  }

  tell(callId: string, make: () => Input): void {
    const end = this.ends.get(callId) ?? make();
    this.ends.set(callId, end);
    this.heard.add(callId);
    this.meet(end);
  }

  live(one: Happening): void {
    const { life, calls } = this;
    // A free model costs nothing.
    const costOf = (cost: number) => (this.isPaid ? cost : 0);
    const at = <Item>(items: readonly Item[], which: number) => items[which % items.length];
    switch (one.it) {
      case 'starts':
        return this.meet(life.inputOfStart());
      case 'is stopped':
        return this.meet(life.inputOfStop());
      case 'brings a stale outcome':
        // The shell fences what belongs to no open step.
        if (life.run.opens?.kind === 'tool' || this.met.length === 0) return;
        expect(life.meet(life.inputOfOutcome(edited))).toEqual({ do: 'nothing' });
        return;
      case 'is answered':
      case 'fails':
      case 'is called off': {
        const callId = at(calls, one.which);
        if (!callId) return;
        if (one.it === 'fails')
          return this.tell(callId, () => life.inputOfFailure(callId, 'busy', costOf(one.cost)));
        if (one.it === 'is called off')
          return this.tell(callId, () => life.inputOfCancelled(callId, costOf(one.cost)));
        return this.tell(callId, () => life.inputOfAnswer(callId, at(replies, one.said)!, costOf(one.cost)));
      }
      case 'is due': {
        const callId = at(calls, one.which);
        if (callId) this.meet(life.inputOfDeadline(callId, 2_000_000, 2_000_000 + one.afterMs));
        return;
      }
      case 'performs':
        if (life.run.opens?.kind === 'tool') this.meet(life.inputOfOutcome(at(outcomes, one.outcome)!));
        return;
      case 'is taken over':
        if (life.run.opens?.kind === 'tool') life.isTakenOver('coder.two');
        return;
      case 'meets again': {
        const again = at(
          this.met.filter((input) => input.type !== 'outcome'),
          one.which,
        );
        if (!again) return;
        const deliveries = (openIntent(life.run)?.claim.deliveries ?? 1) + one.deliveries;
        return this.meet({ ...again, claim: { ...again.claim, deliveries } });
      }
    }
  }

  /** What must hold whatever happened. */
  check(): void {
    const { run, events } = this.life;
    const types = events.map((event) => shortType(event.type));
    const ended = types.indexOf('run.concluded');
    expect(types.filter((type) => type === 'run.concluded').length).toBeLessThanOrEqual(1);
    if (ended !== -1) expect(types.slice(ended + 1).every((type) => type === 'run.settled')).toBe(true);
    expect(types.filter((type) => type === 'run.started').length).toBeLessThanOrEqual(1);
    expect(run.spent.costMicroDollars).toBe(this.costOfHeard());
    const owed = this.life.owed().map((one) => one.key.replace(/\|.*/, ''));
    switch (run.phase) {
      case 'none':
        expect(events).toEqual([]);
        return;
      case 'concluded':
        expect(owed.at(-1)).toBe('home');
        expect(openIntent(run)).toBeUndefined();
        break;
      case 'open':
        if (run.opens?.kind === 'tool')
          expect(openIntent(run)?.key).toBe(`${run.opens.tool}.${run.opens.number}`);
        else expect(owed.slice(-2)).toEqual(['ask', 'deadline']);
        break;
    }
    if (!run.work) return;
    const { limits } = run.work;
    expect(run.steps).toBeLessThanOrEqual(limits.steps);
    expect(run.redRuns).toBeLessThanOrEqual(limits.attempts);
    expect(run.corrections).toBeLessThanOrEqual(limits.corrections);
    expect(run.spent.costMicroDollars).toBeLessThanOrEqual(limits.budgetMicroDollars);
    if (run.phase === 'open') expect(this.repeatedCalls()).toBeLessThanOrEqual(limits.corrections + 1);
    this.checkSteps();
  }

  /** How many replies in a row came to nothing but the very call that failed last; counted from the journal. */
  repeatedCalls(): number {
    let row = 0;
    let last = '';
    let isCounted = false;
    let open: { kind?: string; tool?: string; arguments?: unknown } | undefined;
    for (const event of this.life.events) {
      const data = event.data as { opens?: typeof open; outcome?: Outcome };
      const type = shortType(event.type);
      if (type === 'run.replied') isCounted = false;
      if (type === 'run.stepped' && open) {
        const called = `${open.tool} ${JSON.stringify(open.arguments)}`;
        const fails = data.outcome!.status !== 'ok';
        // The harness's own tests have a bound of their own.
        if (!fails || called !== last || open.tool === 'run-tests') row = 0;
        if (row === 0) isCounted = false;
        last = fails ? called : '';
        if (fails && !isCounted && open.tool !== 'run-tests') {
          row += 1;
          isCounted = true;
        }
      }
      open = data.opens ?? open;
    }
    return row;
  }

  /** One step is open at a time: each event closes the one that the event before it opened. */
  checkSteps(): void {
    let open: { number: number; callId?: string } | undefined;
    for (const event of this.life.events) {
      const data = event.data as { opens?: typeof open; number?: number; callId?: string };
      const type = shortType(event.type);
      if (type === 'run.stepped' || type === 'run.taken_over') expect(data.number).toBe(open?.number);
      if (type === 'run.replied' || type === 'run.rerouted') expect(data.callId).toBe(open?.callId);
      if (!data.opens) continue;
      expect(data.opens.number).toBe(open ? open.number + 1 : 0);
      open = data.opens;
    }
  }

  costOfHeard(): number {
    const costs = [...this.heard].map((callId) => {
      const isOfRun = this.calls.includes(callId);
      return isOfRun
        ? (this.ends.get(callId)!.event!.data as { costMicroDollars: number }).costMicroDollars
        : 0;
    });
    return costs.reduce((sum, cost) => sum + cost, 0);
  }

  /** Everything that is asked for is given until the run has ended; returns how many inputs that took. */
  finish(said: number): number {
    const { life } = this;
    this.live({ it: 'starts' });
    let count = 0;
    while (life.run.phase !== 'concluded') {
      const { opens } = life.run;
      if (opens?.kind === 'tool') this.meet(life.inputOfOutcome(endingOutcomes[(said + count) % 3]!));
      else this.live({ it: 'is answered', which: this.calls.length - 1, said: said + count, cost: 1 });
      count += 1;
      if (count > 100) throw new Error(`no end after ${count} inputs`);
      this.check();
    }
    return count;
  }
}

test.each([definitions.coder, definitions.reviewer])(
  'run of the $name: whatever happens, however often and in whatever order, bounds hold and there is a next thing',
  (definition) => {
    fc.assert(
      fc.property(options, fc.array(happening, { maxLength: 40 }), place, (given, happenings, said) => {
        const world = new World(aRun(definition, given), given);
        for (const one of happenings) {
          world.live(one);
          world.check();
        }
        expect(world.finish(said)).toBeLessThanOrEqual(given.work!.limits!.steps);
      }),
      { numRuns: 500 },
    );
  },
);

test('run: replies that never end the work end it at its steps', () => {
  fc.assert(
    fc.property(options, fc.constantFrom(8, 9, 10, 11), (given, said) => {
      const work = { ...given.work, limits: { ...given.work!.limits!, budgetMicroDollars: 5_000_000 } };
      const world = new World(aRun(definitions.coder, { ...given, work, effects: {} }), given);
      world.live({ it: 'starts' });
      while (world.life.run.phase !== 'concluded') {
        if (world.life.run.opens?.kind === 'tool')
          world.meet(world.life.inputOfOutcome({ status: 'ok', output: 'text' }));
        else world.live({ it: 'is answered', which: world.calls.length - 1, said, cost: 0 });
        world.check();
      }
      expect(world.life.run.ending).toBe('steps');
    }),
    { numRuns: 100 },
  );
});

test('run: replies that only repeat what failed end it long before its steps', () => {
  fc.assert(
    fc.property(options, fc.constantFrom(8, 11), fc.constantFrom(4, 5), (given, said, outcome) => {
      const limits = { ...given.work!.limits!, steps: 60, budgetMicroDollars: 5_000_000 };
      const world = new World(aRun(definitions.coder, { ...given, work: { ...given.work, limits } }), given);
      world.live({ it: 'starts' });
      world.meet(world.life.inputOfOutcome({ ...red, status: 'ok' }));
      while (world.life.run.phase !== 'concluded') {
        if (world.life.run.opens?.kind === 'tool') world.live({ it: 'performs', outcome });
        else world.live({ it: 'is answered', which: world.calls.length - 1, said, cost: 0 });
        world.check();
      }
      expect(world.life.run.ending).toBe('failed');
      // The opening, then a question and a call for the first failure and each repeat.
      expect(world.life.run.steps).toBe(1 + 2 * (limits.corrections + 2));
    }),
    { numRuns: 100 },
  );
});

test('run: every decision comes out equal when the journal alone is decided on again', async () => {
  await fc.assert(
    fc.asyncProperty(
      options,
      fc.array(happening, { maxLength: 25 }),
      place,
      async (given, happenings, said) => {
        const world = new World(aRun(definitions.coder, given), given);
        for (const one of happenings) world.live(one);
        world.finish(said);
        const { record, events } = world.life;
        const entries = record.map(({ event, ...at }) => ({
          ...at,
          body: new TextEncoder().encode(JSON.stringify(event)),
          signature: '',
        }));
        const verdict = await verifyTask(
          entries.filter((entry) => entry.journal.includes('.run.')),
          {
            namespace: 'yard',
            readElsewhere: (sequence) =>
              Promise.resolve(entries.find((entry) => entry.sequence === sequence)),
          },
        );
        expect(verdict).toMatchObject({ decisions: events.length, problems: [] });
      },
    ),
    { numRuns: 100 },
  );
});
