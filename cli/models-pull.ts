import { join, resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { ggufEntry } from '../config/found-entries.ts';
import { entryText } from '../config/init-file.ts';
import { describeGguf } from '../inference/check.ts';
import { span } from '../observability/span.ts';
import { countText, durationText } from '../observability/wording.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { untilInterrupted } from './interrupts.ts';
import { modelsFolder } from './gguf-files.ts';
import { fetchModel, type Fetched, type Progress } from './models-fetch.ts';
import { sourcesOf, type Source } from './models-source.ts';
import type { Output } from './output.ts';
import { verb } from './verb.ts';

interface Options {
  sha256?: string;
  to?: string;
}

export function registerModelsPull(models: Command): void {
  verb<Options>(
    models
      .command('pull')
      .argument('<source>', 'hf:OWNER/REPO/FILE.gguf, or the address of a GGUF file')
      .summary('fetch a GGUF file')
      .description(
        'Fetches a GGUF file, goes on where an earlier try ended, checks it against the sum that is given or that the server tells, and prints the lines that make it a model of the registry. A split model is fetched with all its parts.',
      )
      .option('--sha256 <sum>', 'the SHA-256 that the file must have', readSum)
      .option(
        '--to <dir>',
        'the folder that it is to lie in (left out: switchyard/models in your cache folder)',
      ),
    [
      ['models pull hf:OWNER/REPO/FILE.gguf', 'from Hugging Face'],
      ['models pull https://HOST/FILE.gguf --to ./models', 'from anywhere, into a folder of your choice'],
    ],
    async ({ options, environment, output }, given) => {
      const sources = sourcesOf(given!, environment);
      if (sources.length > 1 && options.sha256 !== undefined)
        throw new CommandError(
          `this model is split into ${sources.length} parts, each with a sum of its own`,
          'leave --sha256 out',
          exitCodes.usage,
        );
      const folder = options.to === undefined ? modelsFolder(environment) : resolve(options.to);
      // Node's own fetch looks at proxy variables only when told.
      (await import('node:http')).setGlobalProxyFromEnv?.();
      const fetched: Fetched[] = [];
      await untilInterrupted(async (signal) => {
        for (const source of sources) {
          const file = join(folder, source.name);
          const onProgress = openProgress(source, output);
          fetched.push(
            await fetchModel({ url: source.url, file, sha256: options.sha256, signal, onProgress }),
          );
        }
      });
      const entry = entryOf(fetched[0]!.file);
      output.result({ files: fetched, ...entry.facts, entry: entry.options, name: entry.name }, [
        ...fetched.map((one) => [
          span(one.resumedFromBytes === undefined ? 'is there: ' : 'fetched: ', 'good'),
          span(`${one.file} (${sizeText(one.bytes)}, SHA-256 ${one.sha256}`),
          one.isVerified ? span(', as it should be)', 'good') : span(', not compared with any)', 'warn'),
        ]),
        [span('add to switchyard.yaml:', 'dim')],
        [span('models:')],
        ...entryText(entry)
          .trimEnd()
          .split('\n')
          .map((line) => [{ text: line, tone: 'accent' as const }]),
      ]);
      return exitCodes.done;
    },
  );
}

/** What would stand under `models`. Throws BackendError where the file is no model. */
function entryOf(file: string) {
  const header = describeGguf(file);
  const { architecture, quantisation, fileBytes, contextTokens: madeForTokens } = header;
  return {
    ...ggufEntry(file, header),
    from: `${architecture}, ${quantisation}, ${sizeText(fileBytes)}${madeForTokens ? `; made for ${madeForTokens} tokens` : ''}`,
    facts: { architecture, quantisation, madeForTokens },
  };
}

const betweenLinesMs = 2000;

/** Says what comes, how much of it and from where; then how far it is, a line every two seconds. */
function openProgress({ url, name }: Source, output: Output): (progress: Progress) => void {
  let first: { bytes: number; atMs: number } | undefined;
  let lastMs = 0;
  return ({ bytes, totalBytes }) => {
    const nowMs = Date.now();
    if (first === undefined) {
      first = { bytes, atMs: nowMs };
      lastMs = nowMs;
      const size = totalBytes === undefined ? 'size unknown' : sizeText(totalBytes);
      const here = bytes > 0 ? `, ${sizeText(bytes)} of it here already` : '';
      output.progress(`fetching ${name} (${size}${here}) from ${new URL(url).host}`);
      return;
    }
    if (nowMs - lastMs < betweenLinesMs) return;
    lastMs = nowMs;
    const perSecond = ((bytes - first.bytes) * 1000) / Math.max(1, nowMs - first.atMs);
    const left = totalBytes === undefined ? 0 : ((totalBytes - bytes) * 1000) / Math.max(1, perSecond);
    const share = totalBytes === undefined ? '' : `${Math.floor((bytes * 100) / totalBytes)}%, `;
    const end = totalBytes === undefined ? '' : `, ${durationText(left)} to go`;
    output.progress(`  ${share}${sizeText(bytes)}, ${sizeText(perSecond)}/s${end}`);
  };
}

function sizeText(bytes: number): string {
  if (bytes < 1e6) return countText(Math.round(bytes / 1e3), 'kB', 'kB');
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

function readSum(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError('Give the 64 hexadecimal digits of a SHA-256.');
}
