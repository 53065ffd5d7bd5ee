// Ends with 0 if llama.cpp loads on this machine for `cpu`, `cuda` or `vulkan`; setup/gpu-worker.mjs runs it. A file of
// its own, since node-llama-cpp tries each binary in a child with the same arguments of Node as its parent.
import { getLlama } from 'node-llama-cpp';
import process from 'node:process';

const kind = process.argv[2] ?? 'cpu';
const gpu = kind !== 'cpu' ? kind : process.platform === 'darwin' ? 'auto' : false;
const llama = await getLlama({ gpu, build: 'never', progressLogs: false, logLevel: 'error' });
// A driver may be there without a card.
if (kind !== 'cpu' && (await llama.getGpuDeviceNames()).length === 0) throw new Error('it finds no card');
process.exit(gpu === 'auto' || llama.gpu === gpu ? 0 : 1);
