import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { BackendError, type ModelDefinition } from '../inference/backend.ts';
import type { GgufHeader } from '../inference/backends/gguf.ts';

/** What llama.cpp and Node take beside the model and its cache, measured with small models, rounded up. */
const overheadBytes = 200_000_000;

/** What a model will take: its file, and keys and values of every token of every slot. */
export function neededBytes(
  header: GgufHeader,
  slots: number,
  contextTokens: number,
): { file: number; cache: number; total: number } {
  const cache = header.cacheBytesPerToken * contextTokens * slots;
  return { file: header.fileBytes, cache, total: header.fileBytes + cache + overheadBytes };
}

/** Throws a permanent BackendError, with the numbers and what to change, where the model does not fit. */
export function refuseTooLarge(
  definition: ModelDefinition,
  header: GgufHeader,
  slots: number,
  available: { bytes: number; of: string },
): void {
  const needed = neededBytes(header, slots, definition.contextTokens);
  if (needed.total <= available.bytes) return;
  throw new BackendError(
    'permanent',
    `${definition.name} needs about ${megabytes(needed.total)} MB (file ${megabytes(needed.file)} MB, ` +
      `cache ${megabytes(needed.cache)} MB for ${slots} slots of ${definition.contextTokens} tokens, ${megabytes(overheadBytes)} MB besides), ` +
      `and ${available.of} has ${megabytes(available.bytes)} MB free`,
    { mend: 'lower its contextTokens or slots, take a smaller quantisation, or another machine' },
  );
}

const megabytes = (bytes: number): number => Math.ceil(bytes / 1_000_000);

/** Memory that this process may still take: of the machine, or of its control group where that is less. */
export function availableMemory(): { bytes: number; of: string } {
  const machine = { bytes: machineBytes(), of: 'this machine' };
  const group = groupBytes();
  return group !== undefined && group < machine.bytes
    ? { bytes: group, of: "this process's control group (a container's limit)" }
    : machine;
}

function machineBytes(): number {
  const found = /^MemAvailable:\s+(\d+) kB/m.exec(read('/proc/meminfo') ?? '');
  return found ? Number(found[1]) * 1024 : freemem();
}

/** What the innermost limit of a control group leaves, its reclaimable file cache not counted as used. */
function groupBytes(): number | undefined {
  const path = /^0::(\/.*)$/m.exec(read('/proc/self/cgroup') ?? '')?.[1];
  if (path === undefined) return undefined;
  let least: number | undefined;
  for (let folder = path; ; folder = folder.slice(0, folder.lastIndexOf('/'))) {
    const base = `/sys/fs/cgroup${folder === '/' ? '' : folder}`;
    const limit = Number(read(`${base}/memory.max`));
    if (Number.isFinite(limit) && limit > 0) {
      const used = Number(read(`${base}/memory.current`) ?? 0);
      const files = /^inactive_file (\d+)$/m.exec(read(`${base}/memory.stat`) ?? '')?.[1];
      const left = limit - used + Number(files ?? 0);
      least = Math.min(least ?? left, left);
    }
    if (folder === '' || folder === '/') return least;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
