import { text } from 'node:stream/consumers';
import { BackendError, type ModelDefinition } from '../inference/backend.ts';
import { benchWidth } from '../inference/bench.ts';
import { askTrivially } from '../inference/check.ts';
import { openEngine } from './engine.ts';

// Loads a model, asks it as it is told on its input, and writes an answer a line; `check.ts` starts it.

/** What to do with a loaded model: ask it once, or measure it at each width. */
export interface Job {
  definition: ModelDefinition;
  widths?: number[];
  tokens?: number;
}

const write = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const job = JSON.parse(await text(process.stdin)) as Job;
const { definition, widths, tokens = 64 } = job;
const signal = new AbortController().signal;
try {
  const engine = await openEngine({ definition, say: (_, line) => process.stderr.write(`${line}\n`) });
  if (widths === undefined) write({ result: await askTrivially(engine, definition, signal) });
  const nowMs = () => performance.now();
  for (const width of widths ?? [])
    write({ result: await benchWidth(engine, definition, { width, tokens, signal, nowMs }) });
  await engine.close();
} catch (error) {
  if (!(error instanceof BackendError)) throw error;
  write({ failure: { kind: error.kind, problem: error.problem, mend: error.mend } });
}
process.exit(0);
