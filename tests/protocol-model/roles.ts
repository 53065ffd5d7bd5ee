import type { Claim } from '../../bus/claim.ts';
import { type Decision, type Intent, type Question, append, intentAfter, nothing } from './decision.ts';
import { decideRun, foldRun, runOutbox, toolResult } from './coder.ts';
import { decideTask, taskOutbox } from './manager.ts';
import { inputParts } from './inputs.ts';
import type { InForce } from './rules.ts';
import type { Configuration, Event, Input, Journal, Process } from './state.ts';

/** The pure decision of the role that takes the input. */
export function decide(question: Question): Decision {
  switch (inputParts(question.input).role) {
    case 'manager':
      return decideTask(question);
    case 'router':
      return decideRoute(question);
    case 'coder':
      return decideRun(question);
    case 'inference':
      return decideCall(question);
  }
}

/** What a journal says is owed, as inputs to relay, in the order in which they go out (rule 2). */
export function outbox(
  journalName: string,
  journal: Journal,
  configuration: Configuration,
  inForce: InForce,
): Input[] {
  const [entity, about] = journalName.split(' ') as [string, string];
  switch (entity) {
    case 'task':
      return taskOutbox(journal);
    case 'route':
      return journal.length > 0 ? [`start ${about}`] : [];
    case 'run':
      return runOutbox(about, journal, configuration.hasTimers && inForce('deadline with the question'));
    default:
      return foldCall(journal).hasAnswer ? [`answer ${about}`] : [];
  }
}

function decideRoute({ journal, input }: Question): Decision {
  return journal.length > 0 ? nothing : append({ type: 'decided', input });
}

function foldCall(journal: Journal): { hasAnswer: boolean; intent?: Intent } {
  let intent: Intent | undefined;
  for (const event of journal) intent = intentAfter(intent, event);
  return { hasAnswer: journal.some((event) => event.type === 'resulted'), intent };
}

function decideCall({ inForce, journal, input, claim }: Question): Decision {
  const call = foldCall(journal);
  const act = inputParts(input).journal;
  if (call.hasAnswer) return nothing;
  if (call.intent) return { do: 'resume', intent: call.intent };
  if (!inForce('a call declares an intent')) return { do: 'act undeclared', act };
  return append({ type: 'intended', input, opens: act, claim, epoch: 1 });
}

export function openIntent(journalName: string, journal: Journal): Intent | undefined {
  return journalName.startsWith('run') ? foldRun(journal).intent : foldCall(journal).intent;
}

export const isAnswered = (callJournal: Journal): boolean => foldCall(callJournal).hasAnswer;

/** The event that closes the act which a process has just performed; `claim` is for the act it may open. */
export function resultOf(
  process: Process,
  claim: Claim,
  journal: Journal,
  configuration: Configuration,
): Event {
  const { input } = process.delivery!;
  const { journal: name } = inputParts(input);
  const closing = { input, closes: process.act, claim, epoch: process.epoch };
  if (name.startsWith('call')) return { type: 'resulted', ...closing };
  return toolResult(configuration, name.split(' ')[1]!, journal, closing, process.outcome);
}
