import { InvalidArgumentError, type Command } from 'commander';
import type { WidthResult } from '../inference/bench.ts';
import { span, type Span } from '../observability/span.ts';
import { measureModel } from './ask-model.ts';
import { settingsOf } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { failureOf } from './failure.ts';
import { untilInterrupted } from './interrupts.ts';
import { barredBy, modelsNamed } from './models-named.ts';
import { tableOf } from './table.ts';
import { verb } from './verb.ts';

interface Options {
  parallel: number[];
  tokens: number;
}

/** One model's results, or why there are none. */
interface Benched {
  name: string;
  widths: WidthResult[];
  problem?: string;
}

export function registerModelsBench(models: Command): void {
  verb<Options>(
    models
      .command('bench')
      .argument('[name...]', 'models of the registry')
      .summary('measure how quick models are')
      .description(
        'Asks each model, or those named, for long replies, so many at a time, and prints tokens per second of all together and the time to the first token, after one short reply to warm up. It costs what such replies cost.',
      )
      .option('--parallel <widths>', 'how many at a time, one after the other', readWidths, [1, 4, 8])
      .option('--tokens <count>', 'longest reply', readTokens, 128),
    [
      ['models bench', 'all of them at 1, 4 and 8 at a time'],
      ['models bench qwen3:8b --parallel 1,2,16 --tokens 256', 'one, at other widths'],
    ],
    async ({ options, environment, output }, ...names) => {
      const { config } = settingsOf({ options, environment });
      const asked = modelsNamed(config, environment, names).filter((one) => one.backend !== 'scripted');
      const all: Benched[] = [];
      await untilInterrupted(async (signal) => {
        for (const model of asked) {
          const benched: Benched = { name: model.name, widths: [] };
          all.push(benched);
          try {
            const barred = barredBy(config, model);
            if (barred !== undefined) throw new Error(barred);
            const measured = { widths: options.parallel, tokens: options.tokens, signal };
            for await (const width of measureModel(model, environment, measured)) {
              benched.widths.push(width);
              output.progress(`${model.name}: ${width.width} at a time, ${width.tokensPerSecond} tokens/s`);
            }
          } catch (error) {
            benched.problem = failureOf(error).problems.join('; ');
          }
          if (signal.aborted) return;
        }
      });
      const failed = all.some(
        (one) => one.problem !== undefined || one.widths.some(({ failed: count }) => count > 0),
      );
      output.result({ ok: !failed, tokens: options.tokens, models: all }, [
        ...tableOf(
          ['model', 'at a time', 'tokens/s', 'each', 'first token', 'worst', 'took', ''],
          all.flatMap(({ name, widths }) => widths.map((width) => rowOf(name, width))),
        ),
        ...all.flatMap(({ name, problem }) =>
          problem === undefined ? [] : [[span(`${name}: `, 'bad'), span(problem, 'plain', 400)]],
        ),
      ]);
      return failed ? exitCodes.failure : exitCodes.done;
    },
  );
}

function rowOf(name: string, one: WidthResult): Span[] {
  return [
    span(name, 'accent', 48),
    span(String(one.width)),
    span(`${one.isEstimated ? '~' : ''}${one.tokensPerSecond}`),
    span(String(Math.round((one.tokensPerSecond * 10) / one.width) / 10)),
    span(`${one.firstTokenMs.median} ms`),
    span(`${one.firstTokenMs.worst} ms`),
    span(`${(one.wallMs / 1000).toFixed(1)} s`),
    span(
      one.failed === 0 ? '' : `${one.failed} failed: ${[one.problem, one.mend].filter(Boolean).join('; ')}`,
      'bad',
      300,
    ),
  ];
}

/** `1,4,8`: widths from 1 to 256. */
export function readWidths(text: string): number[] {
  const widths = text.split(',').map((word) => (/^\s*\d{1,3}\s*$/.test(word) ? Number(word) : 0));
  if (widths.some((width) => width < 1 || width > 256))
    throw new InvalidArgumentError('Give whole numbers from 1 to 256, such as 1,4,8.');
  return [...new Set(widths)];
}

function readTokens(text: string): number {
  const tokens = /^\d{1,6}$/.test(text.trim()) ? Number(text) : 0;
  if (tokens >= 1) return tokens;
  throw new InvalidArgumentError('Give a whole number from 1 on.');
}
