import { CommandError } from './failure.ts';

export interface AskOptions {
  /** How many bytes are here already. */
  from: number;
  /** What the server called the file when they came: a strong ETag, or the day it was changed. */
  validator: string | undefined;
  signal: AbortSignal;
  silenceMs: number;
}

/** What a server answered that was asked for a file. */
export interface Asked {
  /** True where it goes on behind what is here; false where it is the whole file, also because it has changed. */
  isPartial: boolean;
  /** True where nothing is missing. */
  isComplete: boolean;
  totalBytes: number | undefined;
  validator: string | undefined;
  /** As a server of large files tells it beside them. */
  sha256: string | undefined;
  pieces(): AsyncGenerator<Uint8Array>;
  /** Lets go of the connection. */
  end(): void;
}

const mostRedirects = 10;

/** Asks for a file, or for what is missing of it. Throws CommandError for an answer that no other try would change. */
export async function askFor(url: string, options: AskOptions): Promise<Asked> {
  const silence = new AbortController();
  const signal = AbortSignal.any([options.signal, silence.signal]);
  let timer: NodeJS.Timeout | undefined;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(
      () => silence.abort(new Error(`nothing came for ${options.silenceMs / 1000} s`)),
      options.silenceMs,
    );
  };
  const end = () => {
    clearTimeout(timer);
    silence.abort();
  };
  alive();
  try {
    const { response, sha256 } = await follow(url, headersOf(options), signal);
    const isPartial = response.status === 206;
    const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
    const isComplete = response.status === 416 && Number(range?.[2]) === options.from;
    if (response.status === 416 && !isComplete && options.from > 0) {
      // More is here than the server has: it is another file.
      end();
      return await askFor(url, { ...options, from: 0 });
    }
    if (!isComplete) requireOk(response, url);
    if (isPartial && Number(range?.[1]) !== options.from)
      throw new Error('the server gave another part than was asked for');
    const length = response.headers.get('content-length');
    // A length that was counted before unpacking says nothing of what is written.
    const isPacked = (response.headers.get('content-encoding') ?? 'identity') !== 'identity';
    const whole = length === null || isPacked ? undefined : Number(length);
    return {
      isPartial,
      isComplete,
      totalBytes: range?.[2] === undefined ? whole : Number(range[2]),
      validator: validatorOf(response.headers),
      sha256,
      end,
      async *pieces() {
        for await (const piece of response.body ?? []) {
          alive();
          yield piece;
        }
      },
    };
  } catch (error) {
    end();
    throw error;
  }
}

function headersOf({ from, validator }: AskOptions): Record<string, string> {
  // A file that is packed on the way cannot be gone on with.
  const plain = { 'accept-encoding': 'identity', 'user-agent': 'switchyard' };
  return from === 0 || validator === undefined
    ? plain
    : { ...plain, range: `bytes=${from}-`, 'if-range': validator };
}

/** Redirects one by one: who sends large files elsewhere tells their sum at the first stop. */
async function follow(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<{ response: Response; sha256: string | undefined }> {
  let at = url;
  let sha256: string | undefined;
  for (let stop = 0; stop <= mostRedirects; stop += 1) {
    const response = await fetch(at, { headers, signal, redirect: 'manual' });
    sha256 ??= /^"?([0-9a-f]{64})"?$/.exec(response.headers.get('x-linked-etag') ?? '')?.[1];
    const next = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || next === null) return { response, sha256 };
    await response.body?.cancel();
    const target = new URL(next, at);
    if (target.protocol !== 'https:' && (target.protocol !== 'http:' || at.startsWith('https:')))
      throw new CommandError(
        `${url} leads to ${target.protocol}//${target.host}, which is not safe`,
        'give an address that stays with https',
      );
    at = target.href;
  }
  throw new CommandError(`${url} leads from one place to the next`, 'give the address of the file itself');
}

/** Throws for what another try would not change; an overloaded server is tried again. */
function requireOk(response: Response, url: string): void {
  const { status } = response;
  if (status === 200 || status === 206) return;
  if (status === 401 || status === 403)
    throw new CommandError(
      `${new URL(url).host} does not give this file without an account (${status})`,
      'fetch it with the tool of that site and name it as `file` under models',
    );
  if (status === 404 || status === 410)
    throw new CommandError(
      `there is no such file: ${url} (${status})`,
      'look at the names of owner, repository and file; hf:OWNER/REPO/FILE.gguf',
    );
  if (status < 500 && status !== 408 && status !== 416 && status !== 429)
    throw new CommandError(`${new URL(url).host} answers ${status}`, 'open the address in a browser');
  throw new Error(`the server answers ${status}`);
}

function validatorOf(headers: Headers): string | undefined {
  const etag = headers.get('etag');
  // A weak one does not say that every byte is the same.
  if (etag !== null && !etag.startsWith('W/')) return etag;
  return headers.get('last-modified') ?? undefined;
}
