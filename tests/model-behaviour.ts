/** What every loopback server answers as the vector of a text: whole numbers, exact in any format. */
export function embeddingOf(text: string): number[] {
  return [text.length, text.codePointAt(0) ?? 0, text.codePointAt(text.length - 1) ?? 0];
}

/**
 * What a model server does with one request, in words that hold for every provider's wire format: a loopback
 * server per provider plays it, and one contract suite asks it of each backend.
 */
export type Behaviour =
  | {
      kind: 'reply';
      content?: string;
      toolCalls?: PlayedToolCall[];
      /** `absent`: the server does not count. */
      usage?: { inputTokens: number; outputTokens: number } | 'absent';
      finish?: 'stop' | 'length' | 'tool_calls';
      /** Length of the pieces the reply is streamed in; 7 by default, so that JSON is split at odd places. */
      pieceCharacters?: number;
      /** Pause between two pieces. */
      pieceDelayMs?: number;
      /** A habit of some servers: every parallel call under index 0, or under none. */
      callIndex?: 'counted' | 'always-zero' | 'absent';
    }
  | {
      kind: 'error';
      status: number;
      headers?: Record<string, string>;
      message?: string;
      /** In OpenAI's words, such as `context_length_exceeded`; another provider's server says it in its own. */
      code?: string;
      type?: string;
      param?: string;
    }
  /** Takes the request and falls silent: at once, or after some words. */
  | { kind: 'hang'; after?: string }
  /** Streams something that is not the API's JSON. */
  | { kind: 'malformed' }
  /** Ends before the reply is finished: politely, or by dropping the connection. */
  | { kind: 'cut'; content: string; how: 'end' | 'reset' }
  /** An error object in the middle of the stream. */
  | { kind: 'error-in-stream'; message: string; code?: string | number }
  | { kind: 'raw'; status: number; contentType: string; body: string };

export interface PlayedToolCall {
  /** Absent: the server sends no id. */
  id?: string;
  name: string;
  /** Text is sent as it stands, so that it may be broken JSON. */
  arguments: Record<string, unknown> | string;
}
