// How a GGUF file begins: entries by name, then the tensors' names, shapes and places.

/** A value with GGUF's number of its type: 4 u32, 6 f32, 7 boolean, 8 text, 9 list. */
interface Value {
  type: number;
  bytes: Buffer;
}
export type Entry = [key: string, value: Value];

export interface Tensor {
  name: string;
  /** ggml's number of the type: 0 is F32, 8 is Q8_0. */
  type: number;
  columns: number;
  rows: number;
  bytes: number;
  /** The data, in parts; streams where it is large. */
  parts(): Iterable<Buffer>;
}

const alignment = 32;
const padded = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

function number(size: number, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(size);
  write(buffer);
  return buffer;
}
const rawU32 = (value: number): Buffer => number(4, (buffer) => buffer.writeUInt32LE(value));
const rawU64 = (value: number): Buffer => number(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value)));
const rawText = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([rawU64(bytes.length), bytes]);
};

export const u32 = (value: number): Value => ({ type: 4, bytes: rawU32(value) });
export const f32 = (value: number): Value => ({
  type: 6,
  bytes: number(4, (buffer) => buffer.writeFloatLE(value)),
});
export const boolean = (value: boolean): Value => ({ type: 7, bytes: Buffer.from([value ? 1 : 0]) });
export const text = (value: string): Value => ({ type: 8, bytes: rawText(value) });
export const list = (values: Value[]): Value => ({
  type: 9,
  bytes: Buffer.concat([rawU32(values[0]!.type), rawU64(values.length), ...values.map((each) => each.bytes)]),
});

/** The header of a file whose data follows in the tensors' order, each padded with `padded`. */
export function headerOf(entries: Entry[], tensors: Tensor[]): { header: Buffer; padded: typeof padded } {
  const parts = [Buffer.from('GGUF'), rawU32(3), rawU64(tensors.length), rawU64(entries.length)];
  for (const [key, value] of entries) parts.push(rawText(key), rawU32(value.type), value.bytes);
  let offset = 0;
  for (const tensor of tensors) {
    const dimensions = tensor.rows === 1 ? [tensor.columns] : [tensor.columns, tensor.rows];
    parts.push(rawText(tensor.name), rawU32(dimensions.length), ...dimensions.map(rawU64));
    parts.push(rawU32(tensor.type), rawU64(offset));
    offset += padded(tensor.bytes);
  }
  const header = Buffer.concat(parts);
  return {
    header: Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length)]),
    padded,
  };
}
