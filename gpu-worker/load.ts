import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getLlama, LlamaLogLevel, type Llama, type LlamaContext, type LlamaModel } from 'node-llama-cpp';
import { BackendError, type ModelDefinition } from '../inference/backend.ts';
import { readGguf, requireContext, type GgufHeader } from '../inference/backends/gguf.ts';
import { inOrderOfSequences } from './batching.ts';
import { availableMemory } from './memory.ts';
import { placeModel, type Card, type Memory } from './placement.ts';
import { standardThreads } from './threads.ts';

export interface LoadOptions {
  definition: ModelDefinition;
  /** Gpu-workers that share this machine's processors; absent: as many as the entry wants. */
  workers?: number;
  /** Memory that may be taken; absent: what the machine and its limits leave. */
  memory?: Memory;
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
  /** Where layers of it lie on cards. */
  card?: LoadedCard;
  /** Fewer sequences than this are computed one by one; set when it was measured. */
  batching: { together: number };
}

/** What of a model lies on which cards. */
export interface LoadedCard {
  names: string[];
  layers: number;
  ofLayers: number;
}

/**
 * Loads a model and takes all the memory it will ever need. Throws a permanent BackendError where the file is missing or
 * damaged, where the memory does not suffice, and where llama.cpp refuses it.
 */
export async function load({ definition, workers, memory, say = () => {} }: LoadOptions): Promise<Loaded> {
  const { name, file, contextTokens } = definition;
  if (file === undefined)
    throw new BackendError('permanent', `model ${name} names no file`, {
      mend: 'give the path of a GGUF file as its `file`',
    });
  const header = readGguf(file);
  requireContext(definition, header);
  const threads = definition.threads ?? standardThreads(workers ?? definition.workers);
  const llama = await openLlama(definition.gpuLayers === 0, threads, say);
  try {
    const found = await cardOf(llama);
    const { slots, gpuLayers } = placeModel(definition, header, memory ?? availableMemory(), found);
    const model = await llama.loadModel({
      modelPath: file,
      // How many a card holds beside the cache, the binding knows by trying.
      gpuLayers: gpuLayers === 'fit' ? { fitContext: { contextSize: contextTokens * slots } } : gpuLayers,
      ...(found ? {} : { ignoreMemorySafetyChecks: true }),
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
      ...(found ? {} : { ignoreMemorySafetyChecks: true }),
    });
    const card = found && {
      names: found.names,
      layers: model.gpuLayers,
      ofLayers: model.fileInsights.totalLayers,
    };
    if (card) say('info', `${card.layers} of ${card.ofLayers} layers lie on ${card.names.join(' and ')}`);
    return { llama, model, context, header, slots, threads, batching, ...(card && { card }) };
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
      const llama = await getLlama({ ...common, gpu });
      if (await cardOf(llama)) return llama;
      await llama.dispose();
      say('warn', `llama.cpp for ${gpu} finds no card here; the next kind is tried`);
    } catch {
      say('warn', `llama.cpp for ${gpu} does not load here; the next kind is tried`);
    }
  }
  return getLlama({ ...common, gpu: false });
}

/** The cards that llama.cpp computes on; a driver may be there without one. */
async function cardOf(llama: Llama): Promise<Card | undefined> {
  if (llama.gpu === false) return undefined;
  const names = await llama.getGpuDeviceNames();
  const { free, unifiedSize } = await llama.getVramState();
  return names.length === 0 ? undefined : { names, freeBytes: free, isUnified: unifiedSize > 0 };
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
