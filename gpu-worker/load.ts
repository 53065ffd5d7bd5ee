import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getLlama, LlamaLogLevel, type Llama, type LlamaContext, type LlamaModel } from 'node-llama-cpp';
import { BackendError, type ModelDefinition } from '../inference/backend.ts';
import { readGguf, requireContext, type GgufHeader } from '../inference/backends/gguf.ts';
import { inOrderOfSequences } from './batching.ts';
import { availableMemory, neededBytes, refuseTooLarge } from './memory.ts';
import { standardThreads } from './threads.ts';

export interface LoadOptions {
  definition: ModelDefinition;
  /** Memory that may be taken; absent: what the machine and its limits leave. */
  memory?: { bytes: number; of: string };
  /** Lines of llama.cpp and of the loading. */
  say?: (level: 'info' | 'warn', line: string) => void;
}

export interface Loaded {
  llama: Llama;
  model: LlamaModel;
  context: LlamaContext;
  header: GgufHeader;
  slots: number;
  threads: number;
  /** Fewer sequences than this are computed one by one; set when it was measured. */
  batching: { together: number };
}

/** Replies at a time where nothing is configured: eight, or as many as half of the free memory holds the cache of. */
export function standardSlots(
  { contextTokens }: ModelDefinition,
  header: GgufHeader,
  availableBytes: number,
): number {
  const each = neededBytes(header, 1, contextTokens).cache;
  const left = availableBytes / 2 - header.fileBytes;
  return [8, 4, 2].find((slots) => slots * each <= left) ?? 1;
}

/**
 * Loads a model and takes all the memory it will ever need. Throws a permanent BackendError where the file is missing or
 * damaged, where the memory does not suffice, and where llama.cpp refuses it.
 */
export async function load({ definition, memory, say = () => {} }: LoadOptions): Promise<Loaded> {
  const { name, file, contextTokens } = definition;
  if (file === undefined)
    throw new BackendError('permanent', `model ${name} names no file`, {
      mend: 'give the path of a GGUF file as its `file`',
    });
  const header = readGguf(file);
  requireContext(definition, header);
  const threads = definition.threads ?? standardThreads(definition.workers);
  const llama = await openLlama(definition.gpuLayers === 0, threads, say);
  try {
    const available = memory ?? availableMemory();
    const slots = definition.slots ?? standardSlots(definition, header, available.bytes);
    // On a card llama.cpp's binding weighs what lies where; without one it is a plain sum.
    if (llama.gpu === false || memory) refuseTooLarge(definition, header, slots, available);
    const model = await llama.loadModel({
      modelPath: file,
      gpuLayers: definition.gpuLayers ?? { fitContext: { contextSize: contextTokens * slots } },
      ...(llama.gpu === false ? { ignoreMemorySafetyChecks: true } : {}),
    });
    const batching = { together: 1 };
    const context: LlamaContext = await model.createContext({
      batching: {
        itemPrioritizationStrategy: inOrderOfSequences(
          () => context,
          () => batching.together,
        ),
      },
      sequences: slots,
      // The binding wants one free at the end, and shifts the context otherwise.
      contextSize: contextTokens + 2,
      threads: { ideal: threads, min: threads },
      ...(llama.gpu === false ? { ignoreMemorySafetyChecks: true } : {}),
    });
    return { llama, model, context, header, slots, threads, batching };
  } catch (error) {
    await llama.dispose();
    if (error instanceof BackendError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    const isMemory = /memory|vram/i.test(why);
    throw new BackendError('permanent', `llama.cpp cannot load ${file}: ${why}`, {
      mend: isMemory
        ? `lower the contextTokens (${contextTokens}), slots (${definition.slots ?? 'by the machine'}) or gpuLayers of ${name}`
        : 'see the lines above; a model newer than this llama.cpp needs a newer one, a damaged file another download',
      cause: error,
    });
  }
}

/** llama.cpp for the best card that its binaries were fetched for, else for the processor. */
async function openLlama(
  isProcessorOnly: boolean,
  threads: number,
  say: NonNullable<LoadOptions['say']>,
): Promise<Llama> {
  const common = {
    build: 'never',
    progressLogs: false,
    logLevel: LlamaLogLevel.warn,
    maxThreads: threads,
    logger: (level: string, line: string) =>
      say(level === 'error' || level === 'fatal' || level === 'warn' ? 'warn' : 'info', line.trimEnd()),
  } as const;
  const kinds = process.platform === 'darwin' ? (['metal'] as const) : fetchedKinds();
  for (const gpu of isProcessorOnly ? [] : kinds) {
    try {
      return await getLlama({ ...common, gpu });
    } catch {
      say('warn', `llama.cpp for ${gpu} does not load here; the next kind is tried`);
    }
  }
  return getLlama({ ...common, gpu: false });
}

/** The kinds of cards that setup/gpu-worker.mjs fetched binaries for. */
function fetchedKinds(): ('cuda' | 'vulkan')[] {
  try {
    const stamp = join(import.meta.dirname, 'node_modules', '.switchyard-setup.json');
    const { kinds } = JSON.parse(readFileSync(stamp, 'utf8')) as { kinds: string[] };
    return (['cuda', 'vulkan'] as const).filter((kind) => kinds.includes(kind));
  } catch {
    return [];
  }
}
