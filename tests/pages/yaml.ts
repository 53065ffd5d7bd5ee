import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { loadConfig } from '../../config/load.ts';
import { modelDefinitions } from '../../config/model-options.ts';
import { readScript } from '../../inference/backends/script.ts';
import { blocksOf, type Block } from './blocks.ts';

/** The page that shows one file, a section in each block. */
const wholeFile = 'docs/configuration.md';

/** Runs with a folder that is gone afterwards. */
function within<Result>(work: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-page-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Loads a configuration as `up` would, and what its models need; files that it names are there. */
function tryConfig(text: string): void {
  within((folder) => {
    const file = join(folder, 'switchyard.yaml');
    const named = /\b(file|script|certificate|key): ([^\s,}]*\/)?([^\s,}]+)/g;
    for (const [, , , name] of text.matchAll(named)) writeFileSync(join(folder, name!), '');
    writeFileSync(file, text.replaceAll(named, '$1: $3'));
    const stateDirectory = join(folder, '.switchyard');
    const { models } = loadConfig({ file, stateDirectory, environment: {}, overrides: {} });
    modelDefinitions(models, {});
  });
}

function tryScript(text: string): void {
  within((folder) => {
    const file = join(folder, 'script.yaml');
    writeFileSync(file, text);
    readScript(file);
  });
}

interface Collector {
  service: { pipelines: Record<string, Record<'receivers' | 'processors' | 'exporters', string[]>> };
}

function tryCollector(value: Collector & Record<string, object>): void {
  for (const [pipeline, parts] of Object.entries(value.service.pipelines))
    for (const [kind, names] of Object.entries(parts))
      for (const name of names)
        if (!Object.hasOwn(value[kind] ?? {}, name))
          throw new Error(`the pipeline of ${pipeline} has no ${name} among its ${kind}`);
}

/** Why a `yaml` block is none of: a switchyard.yaml, replies written beforehand, the configuration of a collector. */
export function yamlProblem({ page, language, text }: Block): string | undefined {
  try {
    const value = parse(text) as unknown;
    if (Array.isArray(value)) tryScript(text);
    else if (Object.hasOwn(value as object, 'receivers')) tryCollector(value as never);
    else if (page !== wholeFile) tryConfig(text);
    else {
      const sections = blocksOf(page).filter((block) => block.language === language);
      tryConfig(sections.map((block) => block.text).join('\n'));
    }
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
