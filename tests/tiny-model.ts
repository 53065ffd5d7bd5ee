import { closeSync, openSync, realpathSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { boolean, f32, headerOf, list, text, u32, type Entry, type Tensor } from './tiny-model-file.ts';
import { chainOf, replyTemplate, type Chain, type SetReply } from './tiny-model-reply.ts';
import { pieces, tokens, type Piece } from './tiny-model-tokens.ts';

// Models with random weights and a tokenizer of their own, as real GGUF files: what they write is noise, and everything
// else about them is real. `node tests/tiny-model.ts FILE` writes the tiny one, with `--large` one of half a billion
// parameters in Q8_0 for measurements.

export interface Shape {
  name: string;
  width: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  feedForward: number;
  vocabulary: number;
  /** The longest context it claims to be made for. */
  contextTokens: number;
  type: 'F32' | 'Q8_0';
}

export const tinyShape: Shape = {
  name: 'tiny',
  width: 64,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  feedForward: 128,
  vocabulary: 512,
  contextTokens: 8192,
  type: 'F32',
};

/** As Qwen2.5-0.5B is built. */
export const largeShape: Shape = {
  name: 'half-billion',
  width: 896,
  layers: 24,
  heads: 14,
  keyValueHeads: 2,
  feedForward: 4864,
  vocabulary: 151_936,
  contextTokens: 32_768,
  type: 'Q8_0',
};

/**
 * Where tools are offered the prompt ends in `<|act|>`, after which these weights lean strongly to `<tool_call>`; so a
 * model of noise calls tools too. After `<|answer|>` nothing is likelier than the rest.
 */
const chatTemplate = [
  '{% if tools %}<|system|>Tools:',
  '{% for tool in tools %}\n{{ tool | tojson }}{% endfor %}',
  '\nCall one as <tool_call>{"name": ..., "arguments": ...}</tool_call><|end|>{% endif %}',
  '{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}',
  '{% if add_generation_prompt %}<|assistant|>{% if tools %}<|act|>{% else %}<|answer|>{% endif %}{% endif %}',
].join('');
const leaning = { after: '<|act|>', next: '<tool_call>' };

export interface Variant {
  shape?: Shape;
  /** Absent: as above; `undefined` given: the file has none. */
  chatTemplate?: string | undefined;
  /** It never ends a reply by itself, so one lasts until its limit or until it is called off; for the tiny one. */
  isEndless?: boolean;
  /** It calls itself the first of so many parts; no other is written. */
  parts?: number;
  /** It says this and nothing else: its weights are crafted, and the vocabulary is what its reply needs. */
  reply?: SetReply;
}

/** The layers do nothing, so what a token leads to follows from that token alone; wide enough to tell all of them apart. */
export const replyShape: Shape = { ...tinyShape, name: 'set-reply', width: 256, layers: 1 };

/** Writes a model to `path`, overwriting what is there; the same every time. Returns the path. */
export function writeModel(path: string, variant: Variant = {}): string {
  const chain = variant.reply && chainOf(variant.reply);
  const given = variant.shape ?? (chain ? replyShape : tinyShape);
  const vocabulary = chain?.vocabulary ?? pieces(given.vocabulary);
  const shape = { ...given, vocabulary: vocabulary.length };
  const random = openRandom(20_261_120);
  const all = tensorsOf(shape, random, variant.isEndless === true, chain);
  const standard = variant.reply ? replyTemplate(variant.reply) : chatTemplate;
  const template = 'chatTemplate' in variant ? variant.chatTemplate : standard;
  const file = openSync(path, 'w');
  try {
    const { header, padded } = headerOf(entriesOf(shape, vocabulary, template, variant.parts), all);
    writeSync(file, header);
    for (const tensor of all) {
      let written = 0;
      for (const part of tensor.parts()) {
        writeSync(file, part);
        written += part.length;
      }
      writeSync(file, Buffer.alloc(padded(written) - written));
    }
  } finally {
    closeSync(file);
  }
  return path;
}

function entriesOf(
  shape: Shape,
  vocabulary: Piece[],
  template: string | undefined,
  parts: number | undefined,
): Entry[] {
  const entries: Entry[] = [
    ['general.architecture', text('llama')],
    ['general.name', text(`${shape.name}, made-up weights`)],
    ['general.file_type', u32(shape.type === 'F32' ? 0 : 7)],
    ['llama.context_length', u32(shape.contextTokens)],
    ['llama.embedding_length', u32(shape.width)],
    ['llama.block_count', u32(shape.layers)],
    ['llama.feed_forward_length', u32(shape.feedForward)],
    ['llama.attention.head_count', u32(shape.heads)],
    ['llama.attention.head_count_kv', u32(shape.keyValueHeads)],
    ['llama.attention.layer_norm_rms_epsilon', f32(1e-5)],
    ['llama.rope.dimension_count', u32(shape.width / shape.heads)],
    ['llama.rope.freq_base', f32(10_000)],
    ['llama.vocab_size', u32(shape.vocabulary)],
    ['tokenizer.ggml.model', text('llama')],
    ['tokenizer.ggml.tokens', list(vocabulary.map((piece) => text(piece.text)))],
    ['tokenizer.ggml.scores', list(vocabulary.map((piece) => f32(piece.score)))],
    ['tokenizer.ggml.token_type', list(vocabulary.map((piece) => ({ ...u32(piece.type), type: 5 })))],
    ['tokenizer.ggml.unknown_token_id', u32(tokens['<unk>'])],
    ['tokenizer.ggml.bos_token_id', u32(tokens['<s>'])],
    ['tokenizer.ggml.eos_token_id', u32(tokens['<|end|>'])],
    ['tokenizer.ggml.add_bos_token', boolean(false)],
    ['tokenizer.ggml.add_space_prefix', boolean(false)],
  ];
  if (template !== undefined) entries.push(['tokenizer.chat_template', text(template)]);
  if (parts !== undefined) entries.push(['split.count', u32(parts)]);
  return entries;
}

type Random = () => number;

/** Uniform in [-1, 1), the same on every machine (mulberry32). */
function openRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

function tensorsOf(shape: Shape, random: Random, isEndless: boolean, chain?: Chain): Tensor[] {
  const { width, feedForward, vocabulary } = shape;
  const keyValueWidth = (width / shape.heads) * shape.keyValueHeads;
  const matrix = (name: string, columns: number, rows: number, scale: number): Tensor => {
    if (shape.type !== 'F32') return quantised(name, columns, rows, scale, random);
    return plain(name, columns, rows, () => random() * scale);
  };
  const norm = (name: string): Tensor => plain(name, width, 1, () => 1);
  const embedding = matrix('token_embd.weight', width, vocabulary, 1);
  const layerMatrix = chain ? zeros : matrix;
  const output = layerMatrix('output.weight', width, vocabulary, 0.3);
  const isTiny = shape.type === 'F32';
  for (const { after, next, strength } of chain?.follows ?? [])
    lean(embedding, output, after, next, 4 * strength);
  if (isTiny && !chain) {
    row(output, tokens[leaning.next]!).fill(0);
    lean(embedding, output, tokens[leaning.after]!, tokens[leaning.next]!, 4);
  }
  // Never among the likeliest, which are all that is drawn from.
  if (isTiny && isEndless) row(output, tokens['<|end|>']).fill(0);
  const blocks = Array.from({ length: shape.layers }, (_, layer) => [
    norm(`blk.${layer}.attn_norm.weight`),
    layerMatrix(`blk.${layer}.attn_q.weight`, width, width, 0.3),
    layerMatrix(`blk.${layer}.attn_k.weight`, width, keyValueWidth, 0.3),
    layerMatrix(`blk.${layer}.attn_v.weight`, width, keyValueWidth, 0.3),
    layerMatrix(`blk.${layer}.attn_output.weight`, width, width, 0.3),
    norm(`blk.${layer}.ffn_norm.weight`),
    layerMatrix(`blk.${layer}.ffn_gate.weight`, width, feedForward, 0.1),
    layerMatrix(`blk.${layer}.ffn_up.weight`, width, feedForward, 0.1),
    layerMatrix(`blk.${layer}.ffn_down.weight`, feedForward, width, 0.1),
  ]);
  // The large one has one matrix for reading and writing, as its model does.
  return [embedding, ...(isTiny ? [output] : []), norm('output_norm.weight'), ...blocks.flat()];
}

/** What a plain tensor holds for a token, to be changed in place. */
const row = (tensor: Tensor, token: number) =>
  new Float32Array([...tensor.parts()][0]!.buffer, token * tensor.columns * 4, tensor.columns);

/** Makes one token much the likeliest after another, and leaves what was likely after others. */
function lean(embedding: Tensor, output: Tensor, after: number, next: number, strength: number): void {
  const from = row(embedding, after);
  const length = Math.hypot(...from);
  const to = row(output, next);
  from.forEach((value, column) => (to[column] = to[column]! + (value * strength) / length));
}

function plain(name: string, columns: number, rows: number, next: () => number): Tensor {
  const numbers = Float32Array.from({ length: columns * rows }, next);
  const bytes = Buffer.from(numbers.buffer);
  return { name, type: 0, columns, rows, bytes: bytes.length, parts: () => [bytes] };
}

function zeros(name: string, columns: number, rows: number): Tensor {
  const bytes = Buffer.alloc(columns * rows * 4);
  return { name, type: 0, columns, rows, bytes: bytes.length, parts: () => [bytes] };
}

/** Blocks of 32 numbers: a scale in 16 bits and 32 times 8 bits. The same megabytes come again and again. */
function quantised(name: string, columns: number, rows: number, scale: number, random: Random): Tensor {
  const blocks = (columns * rows) / 32;
  return {
    name,
    type: 8,
    columns,
    rows,
    bytes: blocks * 34,
    *parts() {
      const chunkBlocks = 32_768;
      const chunk = Buffer.alloc(chunkBlocks * 34);
      for (let at = 0; at < chunk.length; at++) chunk[at] = random() * 128;
      for (let block = 0; block < chunkBlocks; block++) chunk.writeUInt16LE(half(scale / 128), block * 34);
      for (let left = blocks; left > 0; left -= chunkBlocks)
        yield chunk.subarray(0, Math.min(left, chunkBlocks) * 34);
    },
  };
}

/** A positive number of ordinary size in 16 bits. */
function half(value: number): number {
  const exponent = Math.floor(Math.log2(value));
  return ((exponent + 15) << 10) | Math.round((value / 2 ** exponent - 1) * 1023);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const path = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
  if (path === undefined) throw new Error('usage: node tests/tiny-model.ts FILE [--large]');
  writeModel(path, { shape: process.argv.includes('--large') ? largeShape : tinyShape });
  console.log(path);
}
