import { deriveId, shortType, type Envelope } from '../schemas/envelope.ts';
import type { Given } from '../schemas/row.ts';
import type { Claim, Decision, Input, Stored } from '../schemas/service.ts';
import { authorProblem, readJournalSubject } from '../schemas/subject.ts';
import { differencesOf, type Difference } from './difference.ts';
import { deciderOf, type Decider } from './service-of.ts';

/** An entry of the record as its bytes stand there. */
export interface Entry {
  journal: string;
  sequence: number;
  body: Uint8Array;
  signature: string;
}

/** What is wrong with one entry. */
export interface Problem {
  journal: string;
  sequence: number;
  type: string;
  what: string;
  differences: Difference[];
}

export interface Verdict {
  journals: number;
  /** Decisions that were made again. */
  decisions: number;
  /** Entries whose signature was checked. */
  signatures: number;
  problems: Problem[];
}

export interface VerifyOptions {
  namespace: string;
  /** Tells whether the author signed these bytes for this journal; absent where nobody's keys are known. */
  isSigned?(author: string, journal: string, body: Uint8Array, signature: string): boolean;
  /** An entry of another task or of the mesh, which a decision names. */
  readElsewhere?(sequence: number): Promise<Entry | undefined>;
}

/**
 * Folds every journal of a task from zero and makes each decision again with what its event says it was given. All is
 * well when `problems` is empty: every entry is by its author and every decision comes out equal.
 */
export async function verifyTask(entries: readonly Entry[], options: VerifyOptions): Promise<Verdict> {
  const verdict: Verdict = { journals: 0, decisions: 0, signatures: 0, problems: [] };
  const believed = new Map<number, Stored>();
  const byJournal = new Map<string, Stored[]>();
  for (const entry of entries) {
    const read = believe(entry, options);
    if ('problem' in read) {
      verdict.problems.push({
        journal: entry.journal,
        sequence: entry.sequence,
        type: read.type,
        what: `it is not believed: ${read.problem}`,
        differences: [],
      });
      continue;
    }
    if (options.isSigned) verdict.signatures += 1;
    believed.set(entry.sequence, read);
    byJournal.set(entry.journal, [...(byJournal.get(entry.journal) ?? []), read]);
  }
  const find = async (journal: string, sequence: number): Promise<Stored | undefined> => {
    const known = believed.get(sequence);
    if (known) return known.journal === journal ? known : undefined;
    const entry = await options.readElsewhere?.(sequence);
    const read = entry && believe(entry, options);
    return read && 'event' in read && read.journal === journal ? read : undefined;
  };
  for (const [journal, stored] of byJournal) {
    const decider = deciderOf(readJournalSubject(options.namespace, journal)!);
    if (!decider) continue;
    verdict.journals += 1;
    await verifyJournal(decider, stored, find, verdict);
  }
  return { ...verdict, problems: verdict.problems.toSorted((one, other) => one.sequence - other.sequence) };
}

type Find = (journal: string, sequence: number) => Promise<Stored | undefined>;

async function verifyJournal(
  decider: Decider,
  stored: Stored[],
  find: Find,
  verdict: Verdict,
): Promise<void> {
  let state = decider.initial;
  for (const [count, one] of stored.entries()) {
    const type = shortType(one.event.type);
    const blame = (what: string, differences: Difference[] = []) =>
      verdict.problems.push({ journal: one.journal, sequence: one.sequence, type, what, differences });
    try {
      const input = await inputOf(one, find);
      if (typeof input === 'string') blame(input);
      else {
        verdict.decisions += 1;
        const differences = compare(one, count, input, decideAgain(decider, state, input));
        if (differences.length > 0) blame('it is decided otherwise now', differences);
      }
      state = decider.evolve(state, one);
    } catch (error) {
      // What cannot be folded leaves nothing to fold the rest onto.
      blame(`it cannot be decided on again: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
  }
}

/** As the shell does it: a message that meets the intent it once opened takes it over, any other is decided on. */
function decideAgain(decider: Decider, state: unknown, input: Input): Decision {
  const intent = decider.openIntent(state);
  const meetsOwn = intent !== undefined && intent.inputId === input.id && input.type !== 'outcome';
  return meetsOwn ? decider.takeOver(state, input) : decider.decide(state, input);
}

function compare(one: Stored, count: number, input: Input, decision: Decision): Difference[] {
  const { event } = one;
  if (decision.do !== 'append')
    return [{ path: '(decision)', stored: shortType(event.type), decided: decision.do }];
  const { given: _given, ...data } = event.data as { given: Given } & Record<string, unknown>;
  return [
    ...differencesOf(shortType(event.type), decision.type, 'type'),
    ...differencesOf(event.id, deriveId(one.journal, input.id, count, decision.type), 'id'),
    ...(decision.hop === undefined ? [] : differencesOf(event.hop, decision.hop, 'hop')),
    ...(decision.cyclesLeft === undefined
      ? []
      : differencesOf(event.cyclesleft, decision.cyclesLeft, 'cyclesleft')),
    ...differencesOf(data, decision.data, 'data'),
  ];
}

/** What the decision was given, or why it cannot be told. */
async function inputOf(one: Stored, find: Find): Promise<Input | string> {
  const { given } = one.event.data as { given?: Given };
  if (!given) return 'it does not say what it was given';
  const claim: Claim = given.claim ?? { sequence: 0, deliveries: 0, process: given.process };
  const base = {
    id: given.inputId,
    atMs: given.atMs,
    claim,
    ...(given.facts === undefined ? {} : { facts: given.facts }),
  };
  if (given.outcome) return { ...base, type: 'outcome', outcome: outcomeOf(one.event) };
  if (given.reference) {
    const { journal, sequence } = given.reference;
    const concluding = await find(journal, sequence);
    if (!concluding) return `it was decided on event ${sequence} of ${journal}, which is not there`;
    return {
      ...base,
      type: shortType(concluding.event.type),
      event: concluding.event,
      reference: { journal, sequence },
    };
  }
  const command = given.command as Envelope | undefined;
  if (!command) return 'it says neither command nor event nor outcome that it was decided on';
  return { ...base, type: shortType(command.type), event: command };
}

/** An act's outcome stands in the data of the event that was decided on it. */
function outcomeOf(event: Envelope): unknown {
  const data = event.data as Record<string, unknown>;
  switch (shortType(event.type)) {
    case 'call.completed':
      return { answered: true, reply: data['reply'] };
    case 'call.failed': {
      const { kind, cause, message, attempts, requestId, inputTokens, outputTokens, durationMs } = data;
      const why = { kind, cause, message, attempts, requestId };
      return { answered: false, ...why, inputTokens, outputTokens, durationMs };
    }
    default:
      return data['outcome'];
  }
}

/** An entry as folding believes it, or why it does not. */
function believe(entry: Entry, options: VerifyOptions): Stored | { problem: string; type: string } {
  const name = readJournalSubject(options.namespace, entry.journal);
  if (!name) return { problem: 'its subject is no journal', type: '' };
  let event: Envelope;
  try {
    event = JSON.parse(new TextDecoder().decode(entry.body)) as Envelope;
  } catch {
    return { problem: 'it is not JSON', type: '' };
  }
  const type = shortType(String(event.type));
  const wrongAuthor = authorProblem(name, event);
  if (wrongAuthor) return { problem: wrongAuthor, type };
  if (options.isSigned && !options.isSigned(event.sender!, entry.journal, entry.body, entry.signature)) {
    return { problem: `it is not signed by the ${event.sender} for this journal`, type };
  }
  return { journal: entry.journal, sequence: entry.sequence, event };
}
