import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { programFile } from '../bus/program-file.ts';
import { BackendError, type ModelDefinition } from '../inference/backend.ts';
import { readGguf, requireContext } from '../inference/backends/gguf.ts';
import type { WidthResult } from '../inference/bench.ts';
import type { ModelCheck } from '../inference/check.ts';
import type { Job } from './ask.ts';

/** A check holds a short prompt; it need not take the memory of a worker. */
const checkContextTokens = 2048;

/** Which cards a process of llama.cpp sees, and where their libraries are. */
export const cardVariables = [
  'CUDA_VISIBLE_DEVICES',
  'GGML_VK_VISIBLE_DEVICES',
  'LD_LIBRARY_PATH',
  'VK_ICD_FILENAMES',
  'VK_DRIVER_FILES',
];
/** All that a process which loads a model and answers sees: no key is there for it. */
const passedOn = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'XDG_CACHE_HOME', ...cardVariables];

/** True where llama.cpp was fetched. */
export function isLlamaInstalled(): boolean {
  return existsSync(join(import.meta.dirname, 'node_modules', '.switchyard-setup.json'));
}

/** The refusal where it was not. */
export function notInstalled(): BackendError {
  return new BackendError('permanent', 'llama.cpp, which runs GGUF files, is not fetched yet', {
    mend: 'run `node setup/gpu-worker.mjs` (about 85 MB)',
  });
}

/**
 * Does a model of the backend `llama` load, and does it answer a trivial prompt? It is loaded in a process of its own,
 * with one slot and a short context; so this works beside a worker that serves it. Never throws.
 */
export async function checkLlama(definition: ModelDefinition, signal?: AbortSignal): Promise<ModelCheck> {
  const contextTokens = Math.min(definition.contextTokens, checkContextTokens);
  const small: ModelDefinition = {
    ...definition,
    slots: 1,
    contextTokens,
    maxTokens: Math.min(definition.maxTokens, contextTokens / 2),
  };
  try {
    // The worker asks for all of it, and would refuse what this short one passes.
    if (definition.file !== undefined) requireContext(definition, readGguf(definition.file));
    for await (const result of ask<ModelCheck>({ definition: small }, signal)) return result;
    throw new BackendError('permanent', `${definition.name} gave no answer`);
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    const { problem, mend } = error;
    return { ok: false, latencyMs: 0, replyCharacters: 0, problem, ...(mend !== undefined && { mend }) };
  }
}

/** How quick a model of the backend `llama` is at each width, in a process of its own. Throws BackendError. */
export function benchLlama(
  definition: ModelDefinition,
  asked: { widths: number[]; tokens: number; signal: AbortSignal },
): AsyncGenerator<WidthResult> {
  const { widths, tokens, signal } = asked;
  const slots = definition.slots ?? Math.max(...widths);
  return ask<WidthResult>({ definition: { ...definition, slots }, widths, tokens }, signal);
}

/** Runs `ask.ts` and gives its results as they come. */
async function* ask<Result>(job: Job, signal?: AbortSignal): AsyncGenerator<Result> {
  const { name, file } = job.definition;
  if (file === undefined)
    throw new BackendError('permanent', `model ${name} names no file`, {
      mend: 'give the path of a GGUF file as its `file`',
    });
  readGguf(file);
  if (!isLlamaInstalled()) throw notInstalled();
  const child = spawn(process.execPath, [programFile('gpu-worker/ask.ts')], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: Object.fromEntries(passedOn.map((variable) => [variable, process.env[variable]])),
    ...(signal ? { signal } : {}),
  });
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, how) => resolve(how ?? (code === 0 ? undefined : `exit code ${code}`)));
  });
  try {
    child.stdin.on('error', () => {});
    child.stdin.end(JSON.stringify(job));
    for await (const line of createInterface({ input: child.stdout })) {
      const { result, failure } = JSON.parse(line) as {
        result?: Result;
        failure?: { kind: 'permanent' | 'retryable'; problem: string; mend?: string };
      };
      if (failure)
        throw new BackendError(
          failure.kind,
          failure.problem,
          failure.mend === undefined ? {} : { mend: failure.mend },
        );
      if (result !== undefined) yield result;
    }
    const how = await ended;
    if (signal?.aborted) throw new BackendError('permanent', 'the call was cancelled');
    if (how !== undefined)
      throw new BackendError('permanent', `llama.cpp broke down on ${file} (${how})`, {
        mend: 'try another file, fewer gpuLayers, or `gpuLayers: 0`',
      });
  } finally {
    child.kill('SIGKILL');
  }
}
