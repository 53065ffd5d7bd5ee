import type { Behaviour } from './model-behaviour.ts';
import type { Behave, ChatRequest } from './openai-server.ts';

/** What a model is asked, in the words of whoever plays it. */
export interface Asked {
  role: string;
  /** Replies that the run holds already. */
  turn: number;
  /** How often this model has been asked by this role, this time included; other than the turn, a retry counts. */
  times: number;
  request: ChatRequest;
  /** The first user message: the goal and what is known. */
  brief: string;
}

export type Player = (asked: Asked) => Behaviour | Promise<Behaviour>;

/** What each reply is counted as. */
export const usage = { inputTokens: 1000, outputTokens: 10 };

/** A reply with one tool call. */
export const calls = (name: string, given: Record<string, unknown> | string, content = ''): Behaviour => ({
  kind: 'reply',
  content,
  toolCalls: [{ id: `call-${name}`, name, arguments: given }],
  usage,
});

export const says = (content: string): Behaviour => ({ kind: 'reply', content, usage });
export const approves = calls('finish', { verdict: 'approve', summary: 'It adds.', findings: [] });
export const finishes = calls('finish', { summary: 'The sum is a sum.' });
const mendsSum = calls('edit-file', { path: 'add.js', find: 'one - other', replace: 'one + other' });

/** Mends the adder, and approves of it. */
export const able: Player = ({ role, turn }) => {
  if (role === 'reviewer') return approves;
  return turn === 0 ? mendsSum : finishes;
};

/** Does something else the first times that the coder asks, and is able then. */
export const ableAfter =
  (...first: Behaviour[]): Player =>
  (asked) =>
    (asked.role === 'coder' ? first[asked.times - 1] : undefined) ?? able(asked);

/** The same, but what comes first is a reply, so that it counts as a turn. */
export const ableOnce =
  (first: Behaviour): Player =>
  (asked) => {
    if (asked.role !== 'coder') return able(asked);
    return asked.turn === 0 ? first : able({ ...asked, turn: asked.turn - 1 });
  };

/** Plays models by name for a loopback server; whoever only looks whether a model answers is told that it does. */
export function playing(players: Record<string, Player>): Behave {
  const times = new Map<string, number>();
  return (request) => {
    if (request.tools?.some((tool) => tool.function.name === 'say-ready')) return says('I am ready.');
    const text = (role: string) => request.messages.find((one) => one.role === role)?.content ?? '';
    const role = /You are the (\w+) of/.exec(text('system'))?.[1] ?? 'nobody';
    const key = `${request.model} ${role}`;
    times.set(key, (times.get(key) ?? 0) + 1);
    const turn = request.messages.filter((one) => one.role === 'assistant').length;
    const player = players[request.model];
    if (!player) return { kind: 'error', status: 404, message: `nobody plays ${request.model}` };
    return player({ role, turn, times: times.get(key)!, request, brief: text('user') });
  };
}
