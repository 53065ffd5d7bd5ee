import type { LlamaContextSequence, Token } from 'node-llama-cpp';

const stepsEach = 3;
/** A batch must be this much quicker than its tokens one by one; less may be chance. */
const gain = 0.95;

/**
 * From how many sequences on it is quicker to compute their next tokens together than one after the other, measured
 * on this machine with this model; 1 where it always is. A card always gains. A processor gains where it waits for
 * memory, as with large models; where it does not, a few at a time can be slower than each alone.
 */
export async function measureTogether(sequences: LlamaContextSequence[], token: Token): Promise<number> {
  const alone = await stepMs(sequences.slice(0, 1), token);
  let together = 1;
  for (const width of [2, 4, 8].filter((one) => one <= sequences.length)) {
    const each = (await stepMs(sequences.slice(0, width), token)) / width;
    if (each > alone * gain) together = width * 2;
  }
  await Promise.all(sequences.map((sequence) => sequence.clearHistory()));
  return together;
}

/** The shortest of a few steps of all sequences at once: what else the machine does only makes them longer. */
async function stepMs(sequences: LlamaContextSequence[], token: Token): Promise<number> {
  const writers = sequences.map((sequence) => sequence.evaluate([token], { yieldEogToken: true }));
  const step = () => Promise.all(writers.map((writer) => writer.next()));
  await step();
  let least = Infinity;
  for (let count = 0; count < stepsEach; count++) {
    const startedAt = performance.now();
    await step();
    least = Math.min(least, performance.now() - startedAt);
  }
  await Promise.all(writers.map((writer) => writer.return()));
  return least;
}
