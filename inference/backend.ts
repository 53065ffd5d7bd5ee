import type { Capability } from '../schemas/model-backends.ts';

/** What a role asks of a model. Plain data: it travels in the command `call.ask`. */
export interface ModelRequest {
  model: string;
  messages: ModelMessage[];
  tools: ToolDescription[];
  /** Upper bound of the reply, in tokens. */
  maxTokens: number;
  temperature?: number;
  topP?: number;
  /** JSON Schema that the reply's text must keep. A backend has its server enforce it where that can; `act.ts` checks it. */
  schema?: { name: string; schema: Record<string, unknown> };
  /** Names the run that asks; calls of one run mostly begin with the same messages. */
  runId?: string;
  /** Who asks and at which turn; scripted replies are chosen by it. */
  role: string;
}

export type ModelMessage =
  | { role: 'system' | 'user'; content: string }
  | { role: 'assistant'; content: string; toolCalls: ToolCall[] }
  | { role: 'tool'; toolCallId: string; content: string; status: 'ok' | 'failed' | 'denied' };

export interface ToolDescription {
  name: string;
  description: string;
  /** JSON Schema of the arguments. */
  arguments: Record<string, unknown>;
}

export interface ToolCall {
  id: string;
  name: string;
  /** As parsed; `null` with `invalidArguments` set when the model's JSON was broken. */
  arguments: Record<string, unknown> | null;
  invalidArguments?: string;
}

export interface ModelReply {
  content: string;
  toolCalls: ToolCall[];
  finish: 'stop' | 'length' | 'tool_calls';
  usage: Usage;
  /** The provider's or gateway's own id of this request, for its logs. */
  requestId?: string;
}

/** Tokens as the provider counted them; `estimated` where it did not say. */
export interface Usage {
  /** All that the model read, the provider's cache included. */
  inputTokens: number;
  /** Of `inputTokens`, those that the provider had in its cache, at a lower price; absent: none, or it does not say. */
  cachedInputTokens?: number;
  /** Of `inputTokens`, those that were written to its cache, with some at a higher price; absent as above. */
  cacheWriteTokens?: number;
  outputTokens: number;
  estimated: boolean;
}

/**
 * Named by consequence: `permanent` will not mend by itself, `retryable` may with another try or another
 * model. The message says what is wrong and, where `mend` is known, how to put it right; never a key.
 */
export class BackendError extends Error {
  readonly kind: 'permanent' | 'retryable';
  /** What is wrong, without the mend. */
  readonly problem: string;
  /** What a person can do about it. */
  readonly mend: string | undefined;
  /** How long the provider asked us to wait, if it did. */
  readonly retryAfterMs: number | undefined;
  readonly status: number | undefined;
  /** The provider's or gateway's own id of the request, where it told one. */
  readonly requestId: string | undefined;
  constructor(
    kind: 'permanent' | 'retryable',
    problem: string,
    more: {
      mend?: string;
      retryAfterMs?: number | undefined;
      status?: number | undefined;
      requestId?: string | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(more.mend === undefined ? problem : `${problem}; ${more.mend}`, { cause: more.cause });
    this.name = 'BackendError';
    this.kind = kind;
    this.problem = problem;
    this.mend = more.mend;
    this.retryAfterMs = more.retryAfterMs;
    this.status = more.status;
    this.requestId = more.requestId;
  }
}

/** One model server behind one interface. Created once a process; holds the key. */
export interface Backend {
  /** What it can do for this model. */
  readonly capabilities: readonly Capability[];
  /**
   * One provider call without retries of its own; throws BackendError. Aborting `signal` ends it at once
   * (with a permanent BackendError: whoever cancelled knows why). Every tool call of a reply has an id that
   * no other call of the same request or reply bears; its name is as the model gave it, known or not.
   */
  complete(
    request: ModelRequest,
    options: { signal: AbortSignal; onText: (text: string) => void },
  ): Promise<ModelReply>;
  /** Is the server there and does it have this model? Costs no tokens. Throws BackendError that names address or variable and the mend. */
  check(model: string, signal: AbortSignal): Promise<void>;
  /** The names of the models that the server has; absent where it cannot tell. Throws BackendError. */
  models?(signal: AbortSignal): Promise<string[]>;
  /** One vector a text, in order; absent where the backend has no embeddings. Throws BackendError. */
  embed?(texts: string[], signal: AbortSignal): Promise<{ vectors: number[][]; inputTokens: number }>;
  /** Lets go of what it holds; called when the process ends. */
  close?(): Promise<void>;
}

/** One model of the registry, as `switchyard.yaml` gives it. */
export interface ModelDefinition {
  name: string;
  backend: string;
  pool: string;
  /** The provider's own name of the model. */
  model: string;
  url?: string;
  /** Name of the environment variable that holds the key, never the key. */
  apiKeyVariable?: string;
  /** Which of OpenAI's two APIs it is asked by; left out: the one that serves it. */
  api?: 'chat' | 'responses';
  /** The AWS region, for `bedrock`; absent: AWS_REGION, else the profile's. */
  region?: string;
  /** Path of a cassette to which every request and its reply is added. */
  record?: string;
  /** Path of the script or cassette, for `scripted`. */
  script?: string;
  /** Path of the GGUF file, for `llama`. */
  file?: string;
  /** Parallel replies, threads and layers on the card of one gpu-worker, for `llama`; absent: by the machine. */
  slots?: number;
  threads?: number;
  gpuLayers?: number;
  /** How many gpu-workers `up` starts, for `llama`; absent: 1. */
  workers?: number;
  contextTokens: number;
  maxTokens: number;
  /** Micro-dollars per million tokens. */
  prices?: {
    inputMicroDollars: number;
    outputMicroDollars: number;
    cachedInputMicroDollars?: number;
    cacheWriteMicroDollars?: number;
    source: string;
    asOf: string;
  };
  tags: string[];
  tier?: 'small' | 'medium' | 'large';
  /** Given where they are not what the backend declares. */
  capabilities?: Capability[];
  timeoutMs: number;
}
