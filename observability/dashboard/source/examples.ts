import type { DataOf } from '../../../schemas/catalogue.ts';
import { shortType } from '../../../schemas/envelope.ts';
import type { RecordedEvent } from '../../task-view.ts';

interface Example {
  goal: string;
  /** How many of the recorded events it has. */
  events: number;
  startedAgoMs: number;
  costMicroDollars: number;
  /** What happened to it then. */
  end?: [type: string, data: Record<string, unknown>];
}

const mend = './switchyard resume latest';
const examples: readonly Example[] = [
  {
    goal: 'Made up: parse ISO weeks in the calendar',
    events: 34,
    startedAgoMs: 41_000,
    costMicroDollars: 2100,
  },
  {
    goal: 'Made up: add a dark theme to the settings page',
    events: 22,
    startedAgoMs: 190_000,
    costMicroDollars: 690_000,
    end: ['task.paused', { kind: 'budget', reason: 'the budget is used up', mend, findings: [] }],
  },
  {
    goal: 'Made up: retry uploads that the network breaks off',
    events: 26,
    startedAgoMs: 420_000,
    costMicroDollars: 3400,
    end: ['task.waiting', { role: 'reviewer', mend: './switchyard up' }],
  },
  {
    goal: 'Made up: move the build from CommonJS to ES modules',
    events: 48,
    startedAgoMs: 1_900_000,
    costMicroDollars: 15_200,
    end: [
      'task.failed',
      {
        kind: 'bound',
        reason: 'the tests still fail and no review cycle is left',
        mend: "./switchyard submit --repo . --goal '...' --test 'npm test'",
      },
    ],
  },
  {
    goal: 'Made up: leap years in the date picker',
    events: 56,
    startedAgoMs: 3_700_000,
    costMicroDollars: 4800,
  },
];

/** The models of a made-up mesh: one chosen, one to fall back on, one that does not fit. */
const [small, large, tiny] = ['made-up-coder-7b', 'made-up-large', 'made-up-tiny'];
const modelOf = (model: string, pool: string, inputMicroDollars: number, tags: string[]) => ({
  ...{ model, pool, backend: 'made-up', tags, inputMicroDollars },
  outputMicroDollars: inputMicroDollars * 4,
});
const models = {
  [small]: modelOf(small, 'local', 0, ['code', 'local']),
  [large]: modelOf(large, 'cloud', 3_000_000, ['code', 'long-context']),
  [tiny]: modelOf(tiny, 'local', 0, ['chat', 'local']),
};

/** Tasks in other states beside the recorded one, made out of its events. Every goal says that it is made up. */
export function makeExamples(
  recorded: readonly RecordedEvent[],
): { taskId: string; events: RecordedEvent[] }[] {
  const { subject, data } = recorded[0]!.event as { subject: string; data: DataOf<'task.accepted'> };
  return examples.map((example, index) => {
    const taskId = `${index + 1}0000000-0000-5000-8000-000000000000`;
    const events = recorded.slice(0, example.events).map((one): RecordedEvent => {
      const text = JSON.stringify(one)
        .replaceAll(subject, taskId)
        .replaceAll(`"${data.goal}"`, JSON.stringify(example.goal))
        .replaceAll('"costMicroDollars":0', `"costMicroDollars":${example.costMicroDollars}`)
        .replaceAll('"model":"scripted"', `"model":"${small}"`)
        .replaceAll('"backend":"scripted"', '"backend":"made-up"');
      const made = JSON.parse(text) as RecordedEvent;
      if (shortType(made.event.type) === 'route.decided') choose(made.event.data as DataOf<'route.decided'>);
      return { ...made, atMs: one.atMs - example.startedAgoMs };
    });
    if (example.end) events.push(after(events.at(-1)!, events[0]!, ...example.end));
    return { taskId, events };
  });
}

/** Gives a decision of the router alternatives. */
function choose(decided: DataOf<'route.decided'>): void {
  const [first] = decided.choices;
  Object.assign(decided, {
    pool: 'local',
    confidence: decided.role === 'reviewer' ? 0.71 : 0.84,
    rule: 'tags',
    why: `${small} is free, local and tagged code; ${large} is kept for when it fails`,
    choices: [
      { ...first, model: small, pool: 'local' },
      { ...first, model: large, pool: 'cloud' },
    ],
    rejected: [{ model: tiny, why: 'it lacks the tag code, which the role asks for' }],
  });
  Object.assign(decided.given, {
    facts: {
      models,
      livePools: ['local', 'cloud'],
      mode: 'local+api',
      load: {
        [small]: { slots: 4, freeSlots: 2, tokensPerSecond: 48.2 },
        [large]: { slots: 16, freeSlots: 16, tokensPerSecond: 71.5 },
        [tiny]: { slots: 4, freeSlots: 2 },
      },
    },
  });
}

function after(
  last: RecordedEvent,
  { journal, event }: RecordedEvent,
  type: string,
  data: Record<string, unknown>,
): RecordedEvent {
  const spend = { calls: 0, inputTokens: 0, outputTokens: 0, costMicroDollars: 0 };
  return {
    journal,
    sequence: last.sequence + 1,
    atMs: last.atMs + 400,
    event: {
      ...event,
      id: `${event.id}-${type}`,
      type: `dev.switchyard.${type}.v1`,
      data: { spend, ...data },
    },
  };
}
