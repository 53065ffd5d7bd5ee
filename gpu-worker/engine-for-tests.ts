import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelDefinition, ModelRequest } from '../inference/backend.ts';
import { writeModel, type Variant } from '../tests/tiny-model.ts';
import type { Engine } from './engine.ts';
import type { LoadOptions } from './load.ts';

/** Fetches llama.cpp where a test is the first to want it; at once where it is there. */
export function fetchLlama(): void {
  const script = join(import.meta.dirname, '..', 'setup', 'gpu-worker.mjs');
  execFileSync(process.execPath, [script], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** A tiny model of noise in a folder of its own. */
export function tinyModel(variant?: Variant): { file: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-llama-'));
  return {
    file: writeModel(join(folder, 'tiny.gguf'), variant),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function definitionOf(file: string, more: Partial<ModelDefinition> = {}): ModelDefinition {
  return {
    name: 'tiny',
    backend: 'llama',
    pool: 'gpu',
    model: 'tiny',
    file,
    contextTokens: 1024,
    maxTokens: 256,
    tags: [],
    timeoutMs: 60_000,
    slots: 4,
    threads: 1,
    ...more,
  };
}

/** Loads a model with real llama.cpp. */
export async function openForTest(
  file: string,
  more: Partial<ModelDefinition> = {},
  options: Partial<LoadOptions> = {},
): Promise<Engine> {
  fetchLlama();
  const { openEngine } = await import('./engine.ts');
  return openEngine({ definition: definitionOf(file, more), ...options });
}

export function requestOf(prompt: string, more: Partial<ModelRequest> = {}): ModelRequest {
  return {
    model: 'tiny',
    role: 'coder',
    maxTokens: 24,
    tools: [],
    messages: [{ role: 'user', content: prompt }],
    ...more,
  };
}
