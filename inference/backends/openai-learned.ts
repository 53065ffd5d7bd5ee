import { APIError } from 'openai';
import type { ModelRequest } from '../backend.ts';
import { isOverflow } from './openai-failure.ts';
import { firstWay, nextWay } from './openai-schema.ts';
import type { SchemaWay } from './openai-schema.ts';

/** What some servers refuse, or know by another name. */
const adjustable = ['max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'stream_options'] as const;
export type RefusedParameter = (typeof adjustable)[number];

/** What a backend has found out about its server by asking; it holds for as long as the process lives. */
export interface Learned {
  refused: Set<RefusedParameter>;
  /** How each schema is asked for, by its text: servers refuse single schemas. */
  schemaWays: Map<string, SchemaWay>;
}

export function nothingLearned(): Learned {
  return { refused: new Set(), schemaWays: new Map() };
}

/** How the schema of this request is to be asked for; undefined where it has none. */
export function schemaWayOf(request: ModelRequest, learned: Learned): SchemaWay | undefined {
  if (!request.schema) return undefined;
  return learned.schemaWays.get(JSON.stringify(request.schema.schema)) ?? firstWay(request.schema.schema);
}

/**
 * Opens a stream. What the server refuses and we can do without is left out from then on; a refusal costs no tokens.
 * `params` makes the request anew with what has been learned meanwhile.
 */
export async function openStream<Params extends object, Opened>(
  request: ModelRequest,
  learned: Learned,
  params: () => Params,
  create: (params: Params) => Promise<Opened>,
): Promise<Opened> {
  for (;;) {
    const sent = params();
    try {
      return await create(sent);
    } catch (error) {
      if (!(error instanceof APIError) || !learn(error, request, sent, learned)) throw error;
    }
  }
}

/** True where the refusal taught us something, so that another try is another request. */
function learn(error: APIError, request: ModelRequest, sent: object, learned: Learned): boolean {
  if (error.status !== 400 && error.status !== 422) return false;
  // Whatever parameter is blamed: it is the request that is too large.
  if (isOverflow(error)) return false;
  const parameter = refusedParameter(error, sent);
  if (parameter !== undefined) {
    learned.refused.add(parameter);
    return true;
  }
  const way = schemaWayOf(request, learned);
  if (way === undefined || !isAboutSchema(error)) return false;
  const next = nextWay(way);
  if (next === undefined) return false;
  learned.schemaWays.set(JSON.stringify(request.schema!.schema), next);
  return true;
}

/** The parameter that a refusal complains about, if it is one that we can do without. */
function refusedParameter(error: APIError, sent: object): RefusedParameter | undefined {
  const candidates = adjustable.filter((name) => name in sent);
  const named = candidates.find((name) => name === error.param);
  if (named) return named;
  const isAboutParameter = /unsupported|not supported|not permitted|unrecognized|unknown|unexpected|extra/i;
  if (!isAboutParameter.test(error.message)) return undefined;
  return candidates.find((name) => new RegExp(`\\b${name}\\b`).test(error.message));
}

function isAboutSchema(error: APIError): boolean {
  const words = `${error.param} ${error.message}`;
  return /response.?format|json.?schema|structured.?output|text\.format|invalid schema|grammar/i.test(words);
}
