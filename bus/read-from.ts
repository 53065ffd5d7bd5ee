import { open } from 'node:fs/promises';

/** What a file holds from a place on, as text: of a log, what was written since. */
export async function readFrom(file: string, start: number): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const length = Math.max(0, (await handle.stat()).size - start);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, start);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
