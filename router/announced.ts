import { modelBackend } from '../schemas/model-backends.ts';
import type { RoutableModel, RoutingFacts } from './route.ts';

/** A model as a live worker tells of it in its heartbeat. */
export interface AnnouncedModel {
  name: string;
  pool: string;
  backend: string;
  contextTokens: number;
  maxTokens: number;
  timeoutMs?: number;
  capabilities?: string[];
  tags: string[];
  slots: number;
  freeSlots: number;
  tokensPerSecond?: number;
}

/** How long a call of a model may take that nobody configured. */
const announcedTimeoutMs = 300_000;

/**
 * The configured models, and behind them those that live workers announce; of one name the configured one wins. What is
 * announced costs nothing, since only a worker that holds the model itself may bring one along.
 */
export function withAnnounced(
  configured: Record<string, RoutableModel>,
  announced: readonly AnnouncedModel[],
): Record<string, RoutableModel> {
  const models = { ...configured };
  for (const one of announced.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
    if (Object.hasOwn(models, one.name) || modelBackend(one.backend)?.runs !== 'here') continue;
    const { name, pool, backend, contextTokens, maxTokens, tags, capabilities } = one;
    models[name] = {
      model: name,
      pool,
      backend,
      contextTokens,
      maxTokens,
      timeoutMs: one.timeoutMs ?? announcedTimeoutMs,
      inputMicroDollars: 0,
      outputMicroDollars: 0,
      tags,
      capabilities: [...(capabilities ?? modelBackend(backend)?.capabilities ?? [])],
      isLocal: true,
    };
  }
  return models;
}

/**
 * The role's own models; announced ones follow where the role takes any that there are. `byDefault`: what a role asks
 * that names none.
 */
export function preferredOf(
  preferred: readonly string[],
  byDefault: readonly string[],
  configured: readonly string[],
  models: Record<string, RoutableModel>,
): string[] {
  const takesAny = byDefault.every((name) => preferred.includes(name));
  const more = takesAny ? Object.keys(models).filter((name) => !configured.includes(name)) : [];
  return [...preferred, ...more];
}

/** Free slots and speed by model, summed over its live workers; the speed is that of one reply. */
export function loadOf(announced: readonly AnnouncedModel[]): NonNullable<RoutingFacts['load']> {
  const load: NonNullable<RoutingFacts['load']> = {};
  for (const { name, slots, freeSlots, tokensPerSecond } of announced) {
    const known = Object.hasOwn(load, name) ? load[name]! : { slots: 0, freeSlots: 0 };
    const speeds = [known.tokensPerSecond, tokensPerSecond].filter((speed) => speed !== undefined);
    load[name] = {
      slots: known.slots + slots,
      freeSlots: known.freeSlots + freeSlots,
      ...(speeds.length > 0 ? { tokensPerSecond: Math.max(...speeds) } : {}),
    };
  }
  return load;
}
