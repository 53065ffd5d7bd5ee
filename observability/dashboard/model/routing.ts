import type { DataOf } from '../../../schemas/catalogue.ts';
import { shortType } from '../../../schemas/envelope.ts';
import type { Choice } from '../../../schemas/work.ts';
import type { RecordedEvent } from '../../task-view.ts';

/** What the router saw of a model when it decided. */
export interface SeenModel {
  name: string;
  pool: string;
  backend: string;
  tags: string[];
  isAlive: boolean;
  /** Not closed: why. */
  breaker?: string;
  slots?: number;
  freeSlots?: number;
  tokensPerSecond?: number;
  inputMicroDollars?: number;
  outputMicroDollars?: number;
  /** Place among those that may be asked: 0 is the one chosen. */
  choice?: number;
  /** Why it was not taken. */
  rejected?: string;
}

/** A decision of the router, or that it waits. */
export interface Routing {
  index: number;
  atMs: number;
  runId: string;
  role: string;
  isDecided: boolean;
  why: string;
  mend?: string;
  rule?: string;
  confidence?: number;
  pool?: string;
  mode?: string;
  choices: Choice[];
  seen: SeenModel[];
}

interface Facts {
  models?: Record<
    string,
    {
      pool: string;
      backend: string;
      tags?: string[];
      inputMicroDollars?: number;
      outputMicroDollars?: number;
    }
  >;
  livePools?: string[];
  mode?: string;
  breakers?: Record<string, { phase: string; why: string }>;
  load?: Record<string, { slots: number; freeSlots: number; tokensPerSecond?: number }>;
}

/** All decisions of the router about a task, in order. */
export function routingsOf(events: readonly RecordedEvent[]): Routing[] {
  return events.flatMap((recorded, index): Routing[] => {
    const type = shortType(recorded.event.type);
    if (type === 'route.decided') {
      const data = recorded.event.data as DataOf<'route.decided'>;
      const facts = (data.given.facts ?? {}) as Facts;
      const { runId, role, why, rule, confidence, pool, choices } = data;
      return [
        {
          ...{
            index,
            atMs: recorded.atMs,
            runId,
            role,
            isDecided: true,
            why,
            rule,
            confidence,
            pool,
            choices,
          },
          ...(facts.mode ? { mode: facts.mode } : {}),
          seen: seenModels(facts, choices, data.rejected),
        },
      ];
    }
    if (type === 'route.waiting') {
      const { runId, role, why, mend, given } = recorded.event.data as DataOf<'route.waiting'>;
      const seen = seenModels((given.facts ?? {}) as Facts, [], []);
      return [{ index, atMs: recorded.atMs, runId, role, isDecided: false, why, mend, choices: [], seen }];
    }
    return [];
  });
}

function seenModels(
  facts: Facts,
  choices: readonly Choice[],
  rejected: readonly { model: string; why: string }[],
): SeenModel[] {
  const names = new Set([
    ...choices.map((one) => one.model),
    ...rejected.map((one) => one.model),
    ...Object.keys(facts.models ?? {}),
  ]);
  return [...names].map((name): SeenModel => {
    const model = facts.models?.[name];
    const choice = choices.findIndex((one) => one.model === name);
    const pool = model?.pool ?? choices[choice]?.pool ?? '';
    const breaker = facts.breakers?.[pool];
    const why = rejected.find((one) => one.model === name)?.why;
    return {
      name,
      pool,
      backend: model?.backend ?? choices[choice]?.backend ?? '',
      tags: model?.tags ?? [],
      isAlive: facts.livePools?.includes(pool) ?? choice >= 0,
      ...(breaker ? { breaker: `${breaker.phase}: ${breaker.why}` } : {}),
      ...facts.load?.[name],
      ...(model
        ? {
            inputMicroDollars: model.inputMicroDollars ?? 0,
            outputMicroDollars: model.outputMicroDollars ?? 0,
          }
        : {}),
      ...(choice >= 0 ? { choice } : {}),
      ...(why === undefined ? {} : { rejected: why }),
    };
  });
}
