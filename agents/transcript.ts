import { spoken } from './reply-text.ts';
import type { AgentDefinition } from './role.ts';
import { finishTool, isOpening, testsTool, type Run, type ToolCallOfReply, type Turn } from './run-state.ts';
import { shorten, type Message } from './shorten.ts';

type ReplyTurn = Turn & { turn: 'reply' };
type StepTurn = Turn & { turn: 'step' };

/**
 * What the model reads: the steps so far as messages, cut openly to about `tokens`. Every reply is there, and every
 * tool call of it has one answer, as servers want it.
 */
export function transcript(definition: AgentDefinition, run: Run, tokens: number): Message[] {
  const opening = run.turns.find((one): one is StepTurn => one.turn === 'step' && isOpening(one.step));
  const messages: Message[] = [
    { role: 'system', content: definition.system },
    { role: 'user', content: definition.brief(run.work!, opening?.outcome.output ?? '') },
  ];
  run.turns.forEach((turn, place) => {
    if (turn.turn === 'reply') messages.push(...exchange(turn, stepsAfter(run.turns, place)));
  });
  return shorten(messages, tokens);
}

/** The steps that a reply led to. */
function stepsAfter(turns: Turn[], place: number): StepTurn[] {
  const next = turns.findIndex((one, index) => index > place && one.turn === 'reply');
  return turns.slice(place + 1, next === -1 ? undefined : next).filter((one) => one.turn === 'step');
}

/** A reply with the answers to all its calls, in their order, and what else it led to. */
function exchange(turn: ReplyTurn, steps: StepTurn[]): Message[] {
  const { reply, correction } = turn;
  const { toolCalls } = reply;
  const text = spoken(reply.content);
  // Some servers refuse a message with nothing in it.
  const content = text === '' && toolCalls.length === 0 ? '(no text)' : text;
  const said: Message = { role: 'assistant', content, toolCalls };
  if (toolCalls.length === 0) {
    const told = [...steps.map(outputOf), ...(correction ? [correction] : [])];
    return [said, ...told.map((one): Message => ({ role: 'user', content: one }))];
  }
  const left = [...steps];
  const answers = toolCalls.map((call): Message => {
    const found = left.findIndex((one) => one.step.toolCallId === call.id);
    const [step] = found === -1 ? [] : left.splice(found, 1);
    return { role: 'tool', toolCallId: call.id, ...answerTo(call, step, turn) };
  });
  return [said, ...answers];
}

function answerTo(
  call: ToolCallOfReply,
  step: StepTurn | undefined,
  { reply, correction }: ReplyTurn,
): { content: string; status: 'ok' | 'failed' | 'denied' } {
  if (step && call.arguments === null) {
    const written = (call.invalidArguments ?? '').slice(0, 300);
    const cut =
      reply.finish === 'length' ? ' The reply was cut off at its length limit: do less at once.' : '';
    return {
      content: `Nothing was done: the arguments are no JSON object.${cut} They were: ${written}`,
      status: 'failed',
    };
  }
  if (step) return { content: outputOf(step), status: step.outcome.status };
  if (correction) return { content: correction, status: 'failed' };
  const isBeside = call.name === finishTool && reply.toolCalls.some((one) => one.name !== finishTool);
  const content = isBeside
    ? 'Not heard, since other calls came with it. Look at what they brought; then call finish alone.'
    : 'Not performed.';
  return { content, status: 'failed' };
}

function outputOf({ step, outcome }: StepTurn): string {
  const isRed = step.tool === testsTool && outcome.tests?.testsPass === false;
  return isRed
    ? `The harness ran the tests and they fail:\n${outcome.output}`
    : outcome.output || '(no output)';
}
