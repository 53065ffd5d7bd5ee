import type { ModelOptions } from './model-options.ts';

/** A model of a provider with a price list: what `config init` writes of it. */
export interface KnownModel {
  provider: 'openai' | 'anthropic';
  model: string;
  tier: NonNullable<ModelOptions['tier']>;
  /** How much is asked at once: where a longer prompt costs more, not above that. */
  contextTokens: number;
  maxTokens: number;
  prices: NonNullable<ModelOptions['prices']>;
}

/** Dollars for a million tokens: read, read out of the provider's cache, written. */
type Dollars = readonly [input: number, cachedInput: number, output: number];

const lists = {
  openai: 'https://developers.openai.com/api/docs/pricing',
  litellm: 'https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json',
  anthropic: 'https://platform.claude.com/docs/en/about-claude/pricing',
} as const;

/**
 * A few models of the two providers that publish their prices by the token, the ones to begin with first. The day is
 * the last on which the list is known to have said so; `config validate` holds a file against itself, not against this.
 */
export const knownModels: readonly KnownModel[] = [
  known('openai', 'gpt-6-sol', 'large', 272_000, [2, 0.2, 10], '2026-10-16'),
  known('openai', 'gpt-6-luna', 'small', 272_000, [0.1, 0.01, 0.5], '2026-10-16'),
  known('openai', 'gpt-6.1-terra', 'medium', 272_000, [1, 0.05, 5], '2026-10-26'),
  known('openai', 'gpt-5.6-terra', 'medium', 272_000, [2, 0.2, 12], '2026-10-16'),
  known('openai', 'gpt-5.6-luna', 'small', 272_000, [0.2, 0.02, 1.2], '2026-10-16'),
  known('openai', 'gpt-5.1', 'large', 272_000, [1.25, 0.125, 10], '2026-07-24', lists.litellm),
  known('openai', 'gpt-5-mini', 'small', 272_000, [0.25, 0.025, 2], '2026-07-24', lists.litellm),
  known('anthropic', 'claude-opus-5-5', 'large', 1_000_000, [4, 0.2, 20], '2026-10-24'),
  known('anthropic', 'claude-sonnet-5-5', 'medium', 1_000_000, [2, 0.1, 10], '2026-10-24'),
  // Prompts of more than 100000 tokens cost five times as much.
  known('anthropic', 'claude-haiku-5-5', 'small', 100_000, [0.1, 0.01, 0.5], '2026-10-24'),
  known('anthropic', 'claude-fable-5-1', 'large', 1_000_000, [10, 0.25, 50], '2026-10-24'),
  known('anthropic', 'claude-opus-5', 'large', 1_000_000, [5, 0.5, 25], '2026-10-24'),
  known('anthropic', 'claude-sonnet-5', 'medium', 1_000_000, [2, 0.2, 10], '2026-10-24'),
  known('anthropic', 'claude-haiku-4-5', 'small', 200_000, [1, 0.1, 5], '2026-10-24'),
];

/** What is known of a model by its provider's name, also where a gateway puts the provider before it; else undefined. */
export function knownModel(name: string): KnownModel | undefined {
  const bare = name.split('/').at(-1)!;
  return knownModels.find((one) => one.model === bare);
}

function known(
  provider: KnownModel['provider'],
  model: string,
  tier: KnownModel['tier'],
  contextTokens: number,
  [input, cachedInput, output]: Dollars,
  asOf: string,
  source: string = lists[provider],
): KnownModel {
  const micro = (dollars: number) => Math.round(dollars * 1_000_000);
  return {
    provider,
    model,
    tier,
    contextTokens,
    maxTokens: 16_000,
    prices: {
      inputMicroDollars: micro(input),
      outputMicroDollars: micro(output),
      cachedInputMicroDollars: micro(cachedInput),
      source,
      asOf,
    },
  };
}
