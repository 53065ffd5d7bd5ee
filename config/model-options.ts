import Type, { type Static } from 'typebox';
import { backendNames, capabilities, modelBackends } from '../schemas/model-backends.ts';
import { agentRoles } from '../schemas/row.ts';
import { propertyEach } from './annotate.ts';
import { completeModel } from './model-defaults.ts';
import type { Environment } from './state.ts';

const modelName = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._:#/@+-]{0,199}$',
  accepts: 'letters, digits and . _ : # / @ + -',
  description: 'A name under `models`',
});

const microDollars = (description: string) => Type.Integer({ minimum: 0, description });

const mostStandardTokens = 4096;

/** The longest reply, in tokens, where nobody says: it leaves most of a context for what is read. */
export const standardMaxTokens = (contextTokens: number): number =>
  Math.max(1, Math.min(mostStandardTokens, Math.floor(contextTokens / 4)));

const closed = { additionalProperties: false } as const;

export const ModelOptions = Type.Object(
  {
    backend: Type.Enum([...backendNames], {
      description: `What answers. ${backendNames.map((name) => `\`${name}\`: ${modelBackends[name].description}`).join('. ')}`,
    }),
    model: Type.Optional(
      Type.String({
        minLength: 1,
        description: "The provider's own name of the model; left out: the entry's name",
      }),
    ),
    pool: Type.String({
      default: 'default',
      pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$',
      accepts: 'letters, digits, - and _',
      description: 'The set of inference workers that serves it',
    }),
    url: Type.Optional(
      Type.String({
        pattern: '^https?://[^@\\s]+$',
        accepts: 'an http:// or https:// address without a password in it, such as http://127.0.0.1:11434/v1',
        mayBeSecret: true,
        description:
          "Where the server answers; left out: the backend's variable, such as OLLAMA_HOST, else its default",
      }),
    ),
    apiKeyVariable: Type.Optional(
      Type.String({
        pattern: '^[A-Z_][A-Z0-9_]{0,99}$',
        accepts: 'the NAME of an environment variable such as OPENAI_API_KEY, never the key itself',
        mayBeSecret: true,
        description: 'Name of the environment variable that holds the key; only inference processes read it',
      }),
    ),
    api: Type.Optional(
      Type.Enum(['chat', 'responses'], {
        description:
          "By which of OpenAI's two APIs a model is asked, for `openai` and `litellm` only; left out: the one that serves it",
      }),
    ),
    region: Type.Optional(
      Type.String({
        pattern: '^[a-z]{2,}(-[a-z]+)+-\\d+$',
        accepts: 'the name of an AWS region such as eu-central-1',
        description: "The AWS region, for `bedrock` only; left out: AWS_REGION, else the profile's",
      }),
    ),
    record: Type.Optional(
      Type.String({
        minLength: 1,
        isPath: true,
        description:
          'A file to which every request and its reply is added, for `scripted` to play back later; relative to the configuration file',
      }),
    ),
    script: Type.Optional(
      Type.String({
        minLength: 1,
        isPath: true,
        description:
          'The file of replies, written or recorded, for `scripted` only; relative to the configuration file',
      }),
    ),
    file: Type.Optional(
      Type.String({
        minLength: 1,
        isPath: true,
        description: 'The GGUF file, for `llama` only; relative to the configuration file',
      }),
    ),
    slots: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 256,
        description:
          'How many replies one gpu-worker writes at a time, each with a context of its own, for `llama` only; left out: by the machine',
      }),
    ),
    threads: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1024,
        description:
          'Processor threads of one gpu-worker, for `llama` only; left out: cores - 1, shared by all gpu-workers',
      }),
    ),
    gpuLayers: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 10_000,
        description:
          'Layers of the model that lie on the graphics card, for `llama` only; left out: as many as it holds',
      }),
    ),
    workers: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 64,
        description: 'How many gpu-workers `up` starts for it, for `llama` only; left out: 1',
      }),
    ),
    capabilities: Type.Optional(
      Type.Array(Type.Enum([...capabilities]), {
        minItems: 1,
        description:
          'What the model can do, where that is not what its backend declares. `vision` is a label: messages hold text only',
      }),
    ),
    tier: Type.Optional(
      Type.Enum(['small', 'medium', 'large'], {
        description: 'How able it is, to tell a cheap model from a strong one at a glance',
      }),
    ),
    contextTokens: Type.Integer({
      default: 32_768,
      minimum: 512,
      maximum: 10_000_000,
      description: 'How much the model reads at once, in tokens, the reply included',
    }),
    maxTokens: Type.Integer({
      default: mostStandardTokens,
      minimum: 1,
      description: 'Longest reply, in tokens; left out: no more than a quarter of `contextTokens`',
    }),
    timeoutMs: Type.Integer({
      default: 300_000,
      minimum: 1000,
      maximum: 86_400_000,
      description: 'How long one call may take before it is given up',
    }),
    tags: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description: 'What it is good for, for `routes` to choose by, such as `local`, `code`, `long-context`',
    }),
    prices: Type.Optional(
      Type.Object(
        {
          inputMicroDollars: microDollars('Price of a million tokens read'),
          outputMicroDollars: microDollars('Price of a million tokens written'),
          cachedInputMicroDollars: Type.Optional(
            microDollars(
              'Price of a million tokens read that the provider had in its cache; left out: as any other',
            ),
          ),
          cacheWriteMicroDollars: Type.Optional(
            microDollars(
              'Price of a million tokens read that the provider puts into its cache; left out: as any other',
            ),
          ),
          source: Type.String({ minLength: 1, description: 'Where the price is published' }),
          asOf: Type.String({
            pattern: '^\\d{4}-\\d{2}-\\d{2}$',
            accepts: 'a date as "2026-11-20"',
            description: 'The day it was looked up',
          }),
        },
        {
          ...closed,
          description: 'In micro-dollars (a dollar is 1000000); left out: the model costs nothing',
        },
      ),
    ),
  },
  { ...closed, description: 'A model and where it is served' },
);
export type ModelOptions = Static<typeof ModelOptions>;

/** A model of the registry under its name. The shape that backends are created from. */
export type ModelDefinition = ModelOptions & { name: string; model: string };

export const Models = Type.Record(modelName, ModelOptions, {
  ...closed,
  default: {},
  description:
    'The models that may be asked, by a name of your choice. None: nothing can be done but plain checks',
});

export const RolePreference = Type.Object(
  {
    models: Type.Array(modelName, {
      default: [],
      description:
        'The first is preferred, the rest are its fallbacks in order; empty: all of `models` in their order',
    }),
    temperature: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 2,
        description: "How varied replies are; left out: the provider's default",
      }),
    ),
    topP: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description:
          "Only the likeliest words whose chances add up to this are chosen from; left out: the provider's default",
      }),
    ),
    maxTokens: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: "Longest reply for this role; left out: the model's own `maxTokens`",
      }),
    ),
  },
  { ...closed, description: 'Which models a role asks, and how' },
);
export type RolePreference = Static<typeof RolePreference>;

export const RolePreferences = Type.Object(
  propertyEach(
    { planner: {}, coder: {}, tester: {}, reviewer: {} },
    RolePreference,
    (role) => `Which models the ${role} asks, and how`,
  ),
  { ...closed, default: {}, description: 'Which models a role asks where no rule of `routes` decides' },
);

export const RouteRule = Type.Object(
  {
    name: Type.String({ minLength: 1, description: 'How decisions name this rule' }),
    when: Type.Object(
      {
        role: Type.Optional(Type.Enum([...agentRoles], { description: 'Who does the work' })),
        kind: Type.Optional(
          Type.Enum(['tests', 'goal'], {
            description: '`tests`: there is no goal but that the tests pass; `goal`: there is one',
          }),
        ),
        contextAbove: Type.Optional(
          Type.Integer({
            minimum: 0,
            description: 'True where more tokens than this are expected to be read',
          }),
        ),
        tags: Type.Optional(
          Type.Array(Type.String({ minLength: 1 }), {
            description: 'Of `models`, only those that bear all of these tags are taken',
          }),
        ),
      },
      { ...closed, default: {}, description: 'All that is given must hold; nothing given: it always holds' },
    ),
    models: Type.Array(modelName, {
      minItems: 1,
      description: 'The first is preferred, the rest are its fallbacks',
    }),
    confidence: Type.Number({
      default: 1,
      minimum: 0,
      maximum: 1,
      description: 'How sure the rule is; shown with each decision',
    }),
    why: Type.String({ minLength: 1, description: 'The reason; shown with each decision' }),
  },
  { ...closed, description: 'A rule of routing' },
);
export type RouteRule = Static<typeof RouteRule>;

export const Routes = Type.Array(RouteRule, {
  default: [],
  description:
    'Rules that choose a model by the work, tried in order: the first that holds and has a live pool decides',
});

/**
 * The models with their names, in the order of the file, their addresses and variables filled in: what backends are
 * created from. Throws ConfigurationError where a variable holds no address.
 */
export function modelDefinitions(
  models: Static<typeof Models>,
  environment: Environment = process.env,
): ModelDefinition[] {
  return Object.entries(models).map(([name, options]) => completeModel(name, options, environment));
}
