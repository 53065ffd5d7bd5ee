import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import type { Memory } from './placement.ts';

/** Memory that this process may still take: of the machine, or of its control group where that is less. */
export function availableMemory(): Memory {
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
