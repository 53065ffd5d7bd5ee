import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import type { ModelDefinition } from '../config/model-options.ts';
import type { ModelCheck } from '../inference/check.ts';
import { span, type Span } from '../observability/span.ts';
import { countText } from '../observability/wording.ts';
import { askModel, askModels } from './ask-model.ts';
import { settingsOf } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { untilInterrupted } from './interrupts.ts';
import { barredBy, barredMend, modelsNamed } from './models-named.ts';
import { tableOf } from './table.ts';
import { verb } from './verb.ts';

export function registerModelsCheck(models: Command): void {
  verb(
    models
      .command('check')
      .argument('[name...]', 'models of the registry')
      .summary('ask each model a word')
      .description(
        'Sends a trivial prompt to each model, or to those named, and prints how long it took, how much came, and how quickly it writes. It costs a few tokens. Exits 1 if one of them cannot be used, with what mends it.',
      ),
    [
      ['models check', 'all of them'],
      ['models check qwen3:8b --json', 'one, for a program'],
    ],
    async ({ options, environment, output }, ...names) => {
      const { config } = settingsOf({ options, environment });
      const asked = modelsNamed(config, environment, names);
      const results = await untilInterrupted((signal) =>
        askModels(asked, (model) => checkOne(config, model, environment, signal)),
      );
      const failed = results.filter((one) => !one.ok);
      output.result({ ok: failed.length === 0, models: results }, [
        ...tableOf(['', 'model', 'latency', 'reply', 'tokens/s', 'found'], results.map(rowOf)),
        [],
        ...failed.flatMap(({ name, mend }) =>
          mend === undefined ? [] : [[span(`${name}: `, 'bad'), span(mend, 'accent')]],
        ),
        [
          failed.length === 0
            ? span(
                `${countText(results.length, 'model')} ${results.length === 1 ? 'answers' : 'answer'}`,
                'good',
              )
            : span(`${countText(failed.length, 'model')} of ${results.length} cannot be used`, 'bad'),
        ],
      ]);
      return failed.length === 0 ? exitCodes.done : exitCodes.failure;
    },
  );
}

export interface CheckedModel extends ModelCheck {
  name: string;
  /** True where the replies were written beforehand, so that its file was read and nothing asked. */
  isScripted: boolean;
}

/** One model; of a scripted one its file is read, and one that the mode bars cannot be used. */
export async function checkOne(
  config: Config,
  model: ModelDefinition,
  environment: Record<string, string | undefined>,
  signal: AbortSignal,
): Promise<CheckedModel> {
  const about = { name: model.name, isScripted: model.backend === 'scripted' };
  const problem = barredBy(config, model);
  if (problem !== undefined)
    return { ...about, ok: false, latencyMs: 0, replyCharacters: 0, problem, mend: barredMend };
  return { ...about, ...(await askModel(model, environment, signal)) };
}

function rowOf(one: CheckedModel): Span[] {
  const isAnswer = one.ok && !one.isScripted;
  return [
    span(one.ok ? '✓' : '✗', one.ok ? 'good' : 'bad'),
    span(one.name, 'plain', 60),
    span(isAnswer ? `${one.latencyMs} ms` : ''),
    span(isAnswer ? countText(one.replyCharacters, 'character') : ''),
    span(one.tokensPerSecond === undefined ? '' : String(one.tokensPerSecond)),
    span(
      one.problem ?? (one.isScripted ? 'scripted: replies written beforehand' : ''),
      one.ok ? 'dim' : 'bad',
      300,
    ),
  ];
}
