import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { BackendError, type ModelDefinition } from '../backend.ts';
import { fileTypes, tensorTypes } from './gguf-types.ts';

/** What a GGUF file says of its model before anything is loaded. */
export interface GgufHeader {
  architecture: string;
  /** Such as `Q4_K_M`. */
  quantisation: string;
  /** The longest context that the model was made for, in tokens; undefined where the file does not say. */
  contextTokens: number | undefined;
  /** Size of this file and of the other parts of a split one. */
  fileBytes: number;
  layers: number;
  /** What a token takes in the cache of keys and values, at 16 bits a number; 0 where the file does not say. */
  cacheBytesPerToken: number;
  hasChatTemplate: boolean;
}

type Value = number | bigint | boolean | string | undefined | number[];

/** Nobody writes a longer key or value; a damaged file does. */
const longestText = 64 * 1024 * 1024;
const mostEntries = 10_000_000;

/**
 * Reads the header of a GGUF file and holds it against the file's length. Throws a permanent BackendError that names
 * the file where it is missing, no GGUF, damaged or cut off.
 */
export function readGguf(path: string): GgufHeader {
  const refuse = (what: string) =>
    new BackendError('permanent', `${path} ${what}`, {
      mend: 'give the path of a whole GGUF file; one that was cut off has to be fetched again',
    });
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const what = code === 'ENOENT' ? 'is not there' : `cannot be read (${code})`;
    throw refuse(what);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw refuse('is no file');
    return readHeader(openReader(file, stat.size), stat.size);
  } catch (error) {
    if (error instanceof Damage) throw refuse(error.message);
    throw error;
  } finally {
    closeSync(file);
  }
}

/** Throws a permanent BackendError where a model is to have more context than its file was made for. */
export function requireContext(definition: ModelDefinition, header: GgufHeader): void {
  const { name, file, contextTokens } = definition;
  const madeFor = header.contextTokens;
  if (madeFor === undefined || contextTokens <= madeFor) return;
  throw new BackendError(
    'permanent',
    `model ${name} asks for a context of ${contextTokens} tokens, and ${file} was made for ${madeFor}`,
    { mend: `set its contextTokens to ${madeFor} or less` },
  );
}

class Damage extends Error {}

function readHeader(reader: Reader, fileBytes: number): GgufHeader {
  if (fileBytes < 24 || reader.bytes(4).toString('latin1') !== 'GGUF') throw new Damage('is no GGUF file');
  const version = reader.u32();
  if (version < 2 || version > 3) throw new Damage(`is GGUF of version ${version}; 2 and 3 are known`);
  const tensors = reader.count();
  const entries = reader.count();
  const values = new Map<string, Value>();
  for (let entry = 0; entry < entries; entry++) {
    const key = reader.text();
    values.set(key, reader.value(reader.u32()));
  }
  const { end, byType } = readTensors(reader, tensors);
  const alignment = numberOf(values.get('general.alignment')) ?? 32;
  const needed = Math.ceil(reader.position() / alignment) * alignment + end;
  if (fileBytes < needed) throw new Damage(`is cut off: ${fileBytes} of ${needed} bytes are there`);
  const architecture = values.get('general.architecture');
  if (typeof architecture !== 'string') throw new Damage('does not say which architecture its model has');
  const of = (key: string) => values.get(`${architecture}.${key}`);
  const fileType = numberOf(values.get('general.file_type'));
  const commonest = [...byType].toSorted((left, right) => right[1] - left[1])[0]?.[0];
  const layers = numberOf(of('block_count')) ?? 0;
  return {
    architecture,
    quantisation: (fileType === undefined ? undefined : fileTypes[fileType]) ?? commonest ?? 'unknown',
    contextTokens: numberOf(of('context_length')),
    fileBytes: fileBytes * Math.max(1, numberOf(values.get('split.count')) ?? 1),
    layers,
    cacheBytesPerToken: cacheBytes(of, layers),
    hasChatTemplate: typeof values.get('tokenizer.chat_template') === 'string',
  };
}

/** Where the last tensor ends behind the header, and how many bytes each type takes. */
function readTensors(reader: Reader, count: number): { end: number; byType: Map<string, number> } {
  let end = 0;
  const byType = new Map<string, number>();
  for (let tensor = 0; tensor < count; tensor++) {
    reader.text();
    const dimensions = reader.u32();
    if (dimensions > 8) throw new Damage('is damaged: a tensor has more than eight dimensions');
    let elements = 1;
    for (let dimension = 0; dimension < dimensions; dimension++) elements *= reader.u64();
    const type = tensorTypes[reader.u32()];
    const offset = reader.u64();
    // A type that is not known here may be known to llama.cpp.
    const bytes = type === undefined ? 0 : (elements / type[1]) * type[2];
    if (type !== undefined) byType.set(type[0], (byType.get(type[0]) ?? 0) + bytes);
    end = Math.max(end, offset + bytes);
  }
  return { end, byType };
}

/** Keys and values of all layers, 16 bits a number. */
function cacheBytes(of: (key: string) => Value, layers: number): number {
  const heads = numberOf(of('attention.head_count')) ?? 0;
  const keyValueHeads = of('attention.head_count_kv') ?? heads;
  const perHead = heads === 0 ? 0 : (numberOf(of('embedding_length')) ?? 0) / heads;
  const perToken =
    (numberOf(of('attention.key_length')) ?? perHead) + (numberOf(of('attention.value_length')) ?? perHead);
  const allHeads = Array.isArray(keyValueHeads)
    ? keyValueHeads.reduce((sum, one) => sum + one, 0)
    : (numberOf(keyValueHeads) ?? heads) * layers;
  return allHeads * perToken * 2;
}

function numberOf(value: Value): number | undefined {
  if (Array.isArray(value)) return value[0] === undefined ? undefined : Math.max(...value);
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;
}

type Reader = ReturnType<typeof openReader>;

/** Reads a file from its start, a window at a time: a header may hold megabytes of tokens that nobody wants. */
function openReader(file: number, size: number) {
  const window = Buffer.alloc(1024 * 1024);
  let windowStart = 0;
  let windowEnd = 0;
  let position = 0;
  /** The next bytes, valid until the next call. */
  function bytes(count: number): Buffer {
    if (position + count > size) throw new Damage(`is cut off within its header, at byte ${size}`);
    const start = position;
    position += count;
    if (count > window.length) {
      const large = Buffer.alloc(count);
      readSync(file, large, 0, count, start);
      return large;
    }
    if (start < windowStart || start + count > windowEnd) {
      windowStart = start;
      windowEnd = start + readSync(file, window, 0, window.length, start);
    }
    return window.subarray(start - windowStart, start - windowStart + count);
  }
  const u32 = () => bytes(4).readUInt32LE();
  const u64 = () => Number(bytes(8).readBigUInt64LE());
  function count(): number {
    const read = u64();
    if (read > mostEntries) throw new Damage(`is damaged: its header counts ${read} entries`);
    return read;
  }
  function text(): string {
    const length = u64();
    if (length > longestText) throw new Damage(`is damaged: its header holds a text of ${length} bytes`);
    return bytes(length).toString('utf8');
  }
  const scalars: Record<number, readonly [length: number, read: (from: Buffer) => Value]> = {
    0: [1, (from) => from.readUInt8()],
    1: [1, (from) => from.readInt8()],
    2: [2, (from) => from.readUInt16LE()],
    3: [2, (from) => from.readInt16LE()],
    4: [4, (from) => from.readUInt32LE()],
    5: [4, (from) => from.readInt32LE()],
    6: [4, (from) => from.readFloatLE()],
    7: [1, (from) => from.readUInt8() !== 0],
    10: [8, (from) => from.readBigUInt64LE()],
    11: [8, (from) => from.readBigInt64LE()],
    12: [8, (from) => from.readDoubleLE()],
  };
  /** A value; of lists only short ones of numbers are kept. */
  function value(type: number): Value {
    if (type === 8) return text();
    const scalar = scalars[type];
    if (scalar) return scalar[1](bytes(scalar[0]));
    if (type !== 9) throw new Damage(`is damaged: its header holds a value of the unknown type ${type}`);
    const itemType = u32();
    const length = count();
    const item = scalars[itemType];
    if (item && length > 4096) {
      position += item[0] * length;
      return undefined;
    }
    const list: number[] = [];
    for (let place = 0; place < length; place++) {
      const one = value(itemType);
      if (typeof one === 'number' || typeof one === 'bigint') list.push(Number(one));
    }
    return list;
  }
  return { bytes, u32, u64, count, text, value, position: () => position };
}
