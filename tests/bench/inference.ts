import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDirectoryOf } from '../../bus/cache-directory.ts';
import { fetchLlama } from '../../gpu-worker/engine-for-tests.ts';
import { standardThreads } from '../../gpu-worker/threads.ts';
import { largeShape, tinyShape, writeModel, type Shape } from '../tiny-model.ts';
import { openMesh, openRaw, type Job, type Result, type Side } from './sides.ts';

/**
 * Model calls through the mesh beside node-llama-cpp by itself, side by side in one run: `npm run bench:inference`, or
 * `node tests/bench/inference.ts [--models tiny,half-billion] [--widths 1,4,8,16] [--rounds 3] [--tokens 32] [--pairs 15]
 * [--threads N] [--gpu] [--durability process] [--json]`. The weights are random, so what is written is noise; how long it takes is not.
 */
const { values } = parseArgs({
  options: {
    models: { type: 'string', default: 'tiny,half-billion' },
    widths: { type: 'string', default: '1,4,8,16' },
    rounds: { type: 'string', default: '3' },
    tokens: { type: 'string', default: '32' },
    pairs: { type: 'string', default: '15' },
    threads: { type: 'string' },
    durability: { type: 'string', default: 'power' },
    gpu: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const widths = values.widths.split(',').map(Number);
const rounds = Number(values.rounds);
const tokens = Number(values.tokens);
const threads = values.threads === undefined ? standardThreads() : Number(values.threads);
const shapes = values.models.split(',').map((name) => {
  const shape = [tinyShape, largeShape].find((one) => one.name === name);
  if (!shape) throw new Error(`--models ${name}: there are ${tinyShape.name} and ${largeShape.name}`);
  return shape;
});
const contextTokens = 512;
const firstTokenPairs = Number(values.pairs);
const decisions = 5;
/** Every word of it is given but the choices, so that both sides write about as many tokens. */
const decision = {
  type: 'object',
  properties: {
    approve: { type: 'boolean' },
    severity: { enum: ['none', 'minor', 'blocking'] },
    next: { enum: ['coder', 'tester', 'reviewer', 'person'] },
  },
  required: ['approve', 'severity', 'next'],
  additionalProperties: false,
};

const say = (line: string) => void process.stderr.write(`${line}\n`);
const median = (list: number[]): number => {
  const sorted = list.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
};
const rounded = (value: number, digits = 1): number => Number(value.toFixed(digits));

/** The model's file, made where there is none. */
function modelFile(shape: Shape): string {
  const folder = join(cacheDirectoryOf(process.env), 'random-models');
  const file = join(folder, `${shape.name}.gguf`);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    const from = performance.now();
    renameSync(writeModel(`${file}.${process.pid}`, { shape }), file);
    say(`wrote ${file} in ${rounded((performance.now() - from) / 1000)} s`);
  }
  say(`${shape.name}: ${rounded(statSync(file).size / 1e6)} MB in ${file}`);
  return file;
}

let prompts = 0;
/** Different each time, so that nothing of it is in a cache; about as long as any other. */
const prompt = () => {
  prompts += 1;
  return `${String(prompts * 7919).padStart(8, '0')} write a long story about the town`;
};
const jobOf = (width: number, more: Partial<Job> = {}): Job => ({
  prompts: Array.from({ length: width }, prompt),
  maxTokens: tokens,
  ...more,
});

interface Pair {
  raw: Result;
  mesh: Result;
}

async function measure(shape: Shape) {
  const file = modelFile(shape);
  const settings = {
    file,
    slots: Math.max(...widths),
    contextTokens,
    threads,
    isPinned: values.threads === undefined,
    isOnCard: values.gpu,
  };
  say(`${shape.name}: ${settings.slots} slots of ${contextTokens} tokens, ${threads} threads`);
  const raw = await openRaw(settings);
  const mesh = await openMesh({
    ...settings,
    durability: values.durability === 'process' ? 'process' : 'power',
  });
  let turn = 0;
  /** In turn, and which of them is first changes, so that a machine whose speed drifts treats both alike. */
  const both = async (more: (side: Side) => Promise<Result>): Promise<Pair> => {
    turn += 1;
    if (turn % 2 === 0) {
      const first = await more(mesh);
      return { raw: await more(raw), mesh: first };
    }
    const first = await more(raw);
    return { raw: first, mesh: await more(mesh) };
  };
  try {
    await both((side) => side.run(jobOf(1)));
    const throughput = new Map<number, Pair[]>(widths.map((width) => [width, []]));
    for (let round = 1; round <= rounds; round += 1)
      for (const width of widths) {
        throughput.get(width)!.push(await both((side) => side.run(jobOf(width))));
        say(`${shape.name}: round ${round}, width ${width}, load ${loadavg()[0]!.toFixed(1)}`);
      }
    const first: Pair[] = [];
    for (let pair = 0; pair < firstTokenPairs; pair += 1)
      first.push(await both((side) => side.run(jobOf(1, { maxTokens: 2 }))));
    const decided: Pair[] = [];
    const deciding = { maxTokens: 200, schema: decision };
    await both((side) => side.run(jobOf(1, deciding)));
    for (let pair = 0; pair < decisions; pair += 1)
      decided.push(await both((side) => side.run(jobOf(1, deciding))));
    const memory = { raw: raw.memoryBytes(), mesh: mesh.memoryBytes() };
    return resultOf(shape, throughput, first, decided, memory);
  } finally {
    await raw.close();
    await mesh.close();
  }
}

/** Of the process that holds the model, prompts included. */
const processorMsOf = (result: Result): number => result.processorMs / result.outputTokens;
const speed = (result: Result): number => (result.outputTokens * 1000) / result.wallMs;

function resultOf(
  shape: Shape,
  throughput: Map<number, Pair[]>,
  first: Pair[],
  decided: Pair[],
  memory: { raw: number; mesh: number },
) {
  const across = (pairs: Pair[], of: (result: Result) => number) => ({
    raw: rounded(median(pairs.map((pair) => of(pair.raw)))),
    mesh: rounded(median(pairs.map((pair) => of(pair.mesh)))),
  });
  return {
    model: shape.name,
    tokensPerSecond: [...throughput].map(([width, pairs]) => {
      const ratios = pairs.map((pair) => speed(pair.mesh) / speed(pair.raw));
      return {
        width,
        ...across(pairs, speed),
        ratio: rounded(median(ratios), 2),
        ratios: ratios.map((ratio) => rounded(ratio, 2)),
        processorMsAToken: across(pairs, processorMsOf),
      };
    }),
    firstTokenMs: {
      ...across(first, (result) => result.firstTextMs[0]!),
      addedMs: rounded(median(first.map((pair) => pair.mesh.firstTextMs[0]! - pair.raw.firstTextMs[0]!))),
    },
    decisionMs: {
      ...across(decided, (result) => result.wallMs),
      tokens: across(decided, (result) => result.outputTokens),
    },
    memoryMb: { raw: Math.round(memory.raw / 1e6), mesh: Math.round(memory.mesh / 1e6) },
  };
}

type Measured = ReturnType<typeof resultOf>;

function table({ model, tokensPerSecond, firstTokenMs, decisionMs, memoryMb }: Measured): string[] {
  const ratio = (one: { raw: number; mesh: number }) => (one.mesh / one.raw).toFixed(2);
  const row = (name: string, one: { raw: number; mesh: number }, last: string) =>
    `${name.padEnd(44)}${String(one.raw).padStart(10)}${String(one.mesh).padStart(10)}  ${last}`;
  return [
    `${model.padEnd(44)}${'raw'.padStart(10)}${'mesh'.padStart(10)}  mesh/raw`,
    ...tokensPerSecond.map((one) =>
      row(
        `tokens/s, ${one.width} at a time`,
        one,
        `${one.ratio.toFixed(2)}  (${one.ratios.map((each) => each.toFixed(2)).join(' ')})`,
      ),
    ),
    ...tokensPerSecond.map(({ width, processorMsAToken: one }) =>
      row(`processor ms a token, ${width} at a time`, one, ratio(one)),
    ),
    row(
      'ms to the first token, p50',
      firstTokenMs,
      `${ratio(firstTokenMs)}  (${firstTokenMs.addedMs} ms added)`,
    ),
    row(
      'ms of a decision that keeps a schema, p50',
      decisionMs,
      `${ratio(decisionMs)}  (${decisionMs.tokens.raw} and ${decisionMs.tokens.mesh} tokens)`,
    ),
    row('MB resident', memoryMb, ratio(memoryMb)),
  ];
}

fetchLlama();
const loads = [loadavg()[0]!];
const results: Measured[] = [];
for (const shape of shapes) {
  results.push(await measure(shape));
  loads.push(loadavg()[0]!);
}
const machine = {
  processor: cpus()[0]?.model,
  cores: availableParallelism(),
  threads,
  tokens,
  rounds,
  loads: loads.map((load) => rounded(load)),
};
if (values.json) console.log(JSON.stringify({ machine, results }));
else {
  console.log(
    `${machine.processor}, ${machine.cores} cores, ${threads} threads; medians of ${rounds} rounds of ${tokens} tokens; load ${machine.loads.join(', ')}`,
  );
  for (const result of results) console.log(['', ...table(result)].join('\n'));
}
process.exit(0);
