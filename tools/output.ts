/** Collects what a program writes and keeps its beginning and its end, within a bound. */
export interface OutputCollector {
  write(chunk: Uint8Array): void;
  /** At most `maxBytes` of what was written and one line that says how many bytes were left out, if any were. */
  text(): string;
  leftOutBytes(): number;
}

/**
 * A collector that holds at most `maxBytes` in memory, however much is written: half for the beginning (what
 * was started, the first error) and half for the end (the summary).
 */
export function collectOutput(maxBytes: number): OutputCollector {
  const headBytes = Math.ceil(maxBytes / 2);
  const tailBytes = maxBytes - headBytes;
  const head: Uint8Array[] = [];
  let headLength = 0;
  let tail: Uint8Array[] = [];
  let tailLength = 0;
  let written = 0;

  const write = (chunk: Uint8Array): void => {
    written += chunk.length;
    const toHead = chunk.subarray(0, headBytes - headLength);
    if (toHead.length > 0) {
      head.push(toHead);
      headLength += toHead.length;
    }
    const rest = chunk.subarray(toHead.length);
    if (rest.length === 0) return;
    tail.push(rest);
    tailLength += rest.length;
    // Compact only now and then, so that many small chunks do not cost a copy each.
    if (tailLength > 2 * tailBytes + 65_536) {
      tail = [Buffer.from(lastBytes(tail, tailBytes))];
      tailLength = tailBytes;
    }
  };

  const leftOutBytes = (): number => Math.max(0, written - headLength - Math.min(tailLength, tailBytes));

  const text = (): string => {
    const leftOut = leftOutBytes();
    if (leftOut === 0) return decode(Buffer.concat([...head, ...tail]));
    const [start, end] = [Buffer.concat(head), lastBytes(tail, tailBytes)];
    // A cut may fall inside a character: those bytes are left out too.
    const startText = decode(start.subarray(0, wholeCharacters(start)));
    const endText = decode(end.subarray(firstWholeCharacter(end)));
    return `${startText}\n[... ${leftOut} bytes left out ...]\n${endText}`;
  };

  return { write, text, leftOutBytes };
}

/** The text as it is if it has at most `maxBytes` bytes, else its beginning and end with the cut named. */
export function cutOpenly(text: string, maxBytes: number): string {
  const collector = collectOutput(maxBytes);
  collector.write(Buffer.from(text));
  return collector.text();
}

/** The text without a terminal's colours and other escape sequences, which mean nothing to a model or in a record. */
export function withoutColours(text: string): string {
  return text.replaceAll(escapeSequences, '');
}

const escapeSequences =
  /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b[@-Z\\^_]/g;

const decode = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

function lastBytes(chunks: Uint8Array[], length: number): Buffer {
  const all = Buffer.concat(chunks);
  return all.subarray(Math.max(0, all.length - length));
}

function firstWholeCharacter(bytes: Uint8Array): number {
  let at = 0;
  while (at < Math.min(4, bytes.length) && (bytes[at]! & 0xc0) === 0x80) at += 1;
  return at;
}

function wholeCharacters(bytes: Uint8Array): number {
  let at = bytes.length - 1;
  while (at >= 0 && bytes.length - at < 4 && (bytes[at]! & 0xc0) === 0x80) at -= 1;
  if (at < 0) return bytes.length;
  const first = bytes[at]!;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return bytes.length - at < length ? at : bytes.length;
}
