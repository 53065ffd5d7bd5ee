import type { Command } from 'commander';
import type { Heartbeat } from '../bus/registry.ts';
import type { Config } from '../config/config.ts';
import { modelDefinitions, type ModelDefinition } from '../config/model-options.ts';
import { readRunningMesh } from '../config/running-mesh.ts';
import { span, type Span } from '../observability/span.ts';
import { capabilitiesOf, isLocal } from '../schemas/model-backends.ts';
import { agentRoles } from '../schemas/row.ts';
import { settingsOf, withMesh } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { barredBy } from './models-named.ts';
import { tableOf } from './table.ts';
import { verb, type Call } from './verb.ts';

export function registerModelsList(models: Command): void {
  verb(
    models
      .command('list')
      .summary('list the models of the registry')
      .description(
        'Lists the models of the configuration: what answers, pool, tier, context, what they can do, prices, the roles that ask them (1 is the first choice), whether they run on this machine, and the live workers of each where a mesh runs.',
      ),
    [
      ['models list', 'the registry at a glance'],
      ['models list --json', 'the same for a program'],
    ],
    async (call) => {
      const { config, stateDirectory } = settingsOf(call);
      const isUp = config.mesh.url !== undefined || readRunningMesh(stateDirectory) !== undefined;
      const living = isUp ? await livingOf(call) : undefined;
      const rows = modelDefinitions(config.models, call.environment).map((model) =>
        viewOfModel(config, model, living),
      );
      call.output.result(
        { mode: config.mode, models: rows },
        rows.length === 0
          ? 'no models; ./switchyard config init looks for some'
          : [
              ...tableOf(
                [
                  'model',
                  'backend',
                  'pool',
                  'tier',
                  'context',
                  'can',
                  'in/out $ per M',
                  'runs',
                  'live',
                  'roles',
                ],
                rows.map(rowOf),
              ),
              ...(config.mode === 'local-only'
                ? [[span('mode: local-only, so what runs elsewhere is not asked', 'dim')]]
                : []),
            ],
      );
      return exitCodes.done;
    },
  );
}

/** Who is alive; undefined where no broker answers, which is no reason to show nothing. */
async function livingOf(
  call: Pick<Call<unknown>, 'options' | 'environment'>,
): Promise<Heartbeat[] | undefined> {
  try {
    return await withMesh(call, ({ client }) => client.living());
  } catch {
    return undefined;
  }
}

/** A model as `models list` shows it. */
export interface ModelView {
  name: string;
  backend: string;
  model: string;
  pool: string;
  tier?: string;
  contextTokens: number;
  capabilities: readonly string[];
  prices?: ModelDefinition['prices'];
  tags: string[];
  url?: string;
  isLocal: boolean;
  /** Why it is not asked. */
  unusable?: string;
  /** The roles that ask it, with its place in their lists from 1 on. */
  roles: { role: string; place: number }[];
  /** The rules of `routes` that name it. */
  rules: string[];
  /** Processes that serve it now; absent where no mesh can be asked. */
  liveWorkers?: number;
}

/** `living`: the heartbeats of a running mesh. */
export function viewOfModel(config: Config, model: ModelDefinition, living?: Heartbeat[]): ModelView {
  const unusable = barredBy(config, model);
  return {
    name: model.name,
    backend: model.backend,
    model: model.model,
    pool: model.pool,
    ...(model.tier && { tier: model.tier }),
    contextTokens: model.contextTokens,
    capabilities: capabilitiesOf(model),
    ...(model.prices && { prices: model.prices }),
    tags: model.tags,
    ...(model.url !== undefined && { url: model.url }),
    isLocal: isLocal(model),
    ...(unusable !== undefined && { unusable }),
    roles: agentRoles.flatMap((role) => {
      const place = config.roles[role].models.indexOf(model.name);
      return place < 0 ? [] : [{ role, place: place + 1 }];
    }),
    rules: config.routes.filter((rule) => rule.models.includes(model.name)).map((rule) => rule.name),
    ...(living && {
      liveWorkers: living.filter((one) => one.tags.includes(`model:${model.name}`)).length,
    }),
  };
}

export function rowOf(view: ModelView): Span[] {
  const { prices, liveWorkers } = view;
  return [
    span(view.name, view.unusable === undefined ? 'accent' : 'dim', 48),
    span(view.backend),
    span(view.pool, 'plain', 24),
    span(view.tier ?? ''),
    span(thousands(view.contextTokens)),
    span(view.capabilities.map((one) => short[one] ?? one).join(' '), 'plain', 40),
    span(
      prices
        ? `${dollars(prices.inputMicroDollars)}/${dollars(prices.outputMicroDollars)}`
        : view.isLocal
          ? ''
          : 'unknown',
      prices || view.isLocal ? 'plain' : 'warn',
    ),
    view.unusable === undefined ? span(view.isLocal ? 'here' : 'elsewhere') : span('not asked', 'warn'),
    span(liveWorkers === undefined ? '' : String(liveWorkers), liveWorkers === 0 ? 'warn' : 'plain'),
    span(
      [
        ...view.roles.map(({ role, place }) => `${role} ${place}`),
        ...view.rules.map((rule) => `"${rule}"`),
      ].join(', '),
      'dim',
      90,
    ),
  ];
}

const short: Record<string, string> = { 'json-schema': 'schema', streaming: 'stream', embeddings: 'embed' };

const thousands = (tokens: number): string =>
  tokens < 1000 ? String(tokens) : `${Math.round(tokens / 1000)}k`;

const dollars = (micro: number): string => String(Number((micro / 1_000_000).toFixed(4)));
