import type { ModelMessage } from '../schemas/call.ts';
import type { AgentDefinition } from './role.ts';
import { finishTool, openingTool, testsTool, type Run, type Turn } from './run-state.ts';
import type { Static } from 'typebox';

type Message = Static<typeof ModelMessage>;

/** A cautious guess: code and English run at about four characters a token. */
const charactersAToken = 3.5;

/** About how many tokens a model will count for these messages. */
export function estimateTokens(messages: Message[]): number {
  return Math.ceil(messages.reduce((sum, message) => sum + JSON.stringify(message).length, 0) / charactersAToken);
}

/**
 * What the model reads: the steps so far as messages, within `tokens`. Where it is too long, the outputs of the oldest
 * steps are left out first, openly; the brief and the latest turns stay.
 */
export function transcript(definition: AgentDefinition, run: Run, tokens: number): Message[] {
  const opening = run.turns.find((one) => one.turn === 'step' && one.step.tool === openingTool);
  const head: Message[] = [
    { role: 'system', content: definition.system },
    { role: 'user', content: definition.brief(run.work!, opening?.turn === 'step' ? opening.outcome.output : '') },
  ];
  const turns = run.turns.flatMap(messagesOf);
  let shortened = 0;
  const messages = () => [...head, ...turns];
  for (let place = 0; place < turns.length - 4 && estimateTokens(messages()) > tokens; place += 1) {
    const turn = turns[place]!;
    if (turn.role !== 'tool' || turn.content.length < 400) continue;
    turns[place] = { ...turn, content: `${turn.content.slice(0, 120)}\n[${turn.content.length - 120} characters of this older output are left out to fit the context window]` };
    shortened += 1;
  }
  // Still too long: the brief itself is cut, openly, rather than sent to be truncated silently.
  const over = estimateTokens(messages()) - tokens;
  const brief = head[1] as { role: 'user'; content: string };
  if (over > 0 && brief.content.length > over * charactersAToken + 500) {
    const keep = Math.floor(brief.content.length - over * charactersAToken - 200);
    head[1] = { role: 'user', content: `${brief.content.slice(0, keep)}\n[${brief.content.length - keep} characters are left out to fit the context window]` };
  }
  return messages();
}

function messagesOf(turn: Turn): Message[] {
  if (turn.turn === 'reply') {
    const { reply, correction } = turn;
    // A closing call beside others is not heard: the others come first, and the model closes when it has seen them.
    const others = reply.toolCalls.filter((call) => call.name !== finishTool);
    const toolCalls = others.length > 0 ? others : reply.toolCalls;
    const said: Message = { role: 'assistant', content: reply.content, toolCalls };
    if (!correction) return [said];
    // Every tool call wants an answer of its own; a correction answers them all.
    const answers: Message[] = toolCalls.map((call) => ({ role: 'tool', toolCallId: call.id, content: correction, status: 'failed' }));
    return answers.length > 0 ? [said, ...answers] : [said, { role: 'user', content: correction }];
  }
  const { step, outcome } = turn;
  if (step.tool === openingTool) return [];
  const isRed = step.tool === testsTool && outcome.tests?.testsPass === false;
  const said = isRed ? `The harness ran the tests and they fail:\n${outcome.output}` : outcome.output;
  if (step.toolCallId) return [{ role: 'tool', toolCallId: step.toolCallId, content: said, status: outcome.status }];
  return [{ role: 'user', content: said }];
}
