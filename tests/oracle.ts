import type { Client, RawEntry } from '../bus/client.ts';
import { openVerifier, type PublicKeys } from '../bus/signature.ts';
import { verifyTask } from '../replay/verify.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { deriveId, shortType, type Envelope } from '../schemas/envelope.ts';
import type { Given } from '../schemas/row.ts';
import type { Opens, Outcome } from '../schemas/run.ts';
import { authorProblem, readJournalSubject } from '../schemas/subject.ts';
import { problemsOf } from '../schemas/validate.ts';
import { git } from './yard-parts.ts';

/** All that is wrong with a task: its record, the decisions in it when they are made again, and its branch. */
export async function problemsOfTask(
  client: Pick<Client, 'readRaw' | 'readAt'>,
  taskId: string,
  namespace: string,
  publicKeys: PublicKeys,
  repository: string,
): Promise<string[]> {
  const entries = await client.readRaw(taskId);
  const { problems } = await verifyTask(entries, {
    namespace,
    isSigned: openVerifier(publicKeys),
    readElsewhere: (sequence) => client.readAt(sequence),
  });
  const decidedOtherwise = problems.map(
    ({ sequence, type, what, differences }) => `${sequence} ${type}: ${what} ${JSON.stringify(differences)}`,
  );
  return [
    ...violations(entries, namespace, publicKeys),
    ...decidedOtherwise,
    ...branchViolations(entries, repository),
  ];
}

interface Entry {
  sequence: number;
  type: string;
  event: Envelope<{ given: Given } & Record<string, unknown>>;
}

const taskEnds = new Set(['task.completed', 'task.failed', 'task.cancelled', 'task.rejected']);
const callEnds = new Set(['call.completed', 'call.failed', 'call.cancelled']);

/**
 * Everything in a task's record that no sound mesh could have written, one sentence each; empty = sound.
 * It shares no fold with the roles: what is journaled is read as it stands.
 */
export function violations(
  entries: readonly RawEntry[],
  namespace: string,
  publicKeys: PublicKeys,
): string[] {
  const found: string[] = [];
  const verify = openVerifier(publicKeys);
  const journals = new Map<string, Entry[]>();
  for (const { journal, sequence, body, signature } of entries) {
    const event = JSON.parse(Buffer.from(body).toString('utf8')) as Entry['event'];
    const type = shortType(event.type);
    const say = (what: string) => found.push(`${sequence} ${type}: ${what}`);
    for (const problem of problemsOf(event)) say(problem);
    const name = readJournalSubject(namespace, journal);
    const wrongAuthor = name ? authorProblem(name, event) : 'its subject is no journal';
    if (wrongAuthor) say(wrongAuthor);
    if (!verify(event.sender ?? '', journal, body, signature))
      say(`not signed by the ${event.sender} for ${journal}`);
    if (event.correlationid !== event.subject) say('it left the trace of its task');
    const before = journals.get(journal) ?? [];
    // The id says how many events the decision had seen: one more or one less, and it was decided on another state.
    if (event.id !== deriveId(journal, event.data.given?.inputId ?? '', before.length, type)) {
      say(`decided on another state than the ${before.length} events before it`);
    }
    journals.set(journal, [...before, { sequence, type, event }]);
  }
  for (const [journal, list] of journals) {
    const name = readJournalSubject(namespace, journal);
    const say = ({ sequence, type }: Entry, what: string) => found.push(`${sequence} ${type}: ${what}`);
    if (name?.entity === 'task') judgeEnd(list, taskEnds, say);
    if (name?.entity === 'run') judgeRun(list, say);
    if (name?.entity === 'call') judgeCall(list, say);
    if (name?.entity === 'route' && list.filter(({ type }) => type === 'route.decided').length > 1)
      say(list.at(-1)!, 'routed twice');
  }
  const named = new Set(
    [...journals.values()]
      .flat()
      .map(({ event }) => (event.data['next'] as { runId: string } | undefined)?.runId),
  );
  for (const journal of journals.keys()) {
    const name = readJournalSubject(namespace, journal);
    if (name?.entity === 'run' && !named.has(name.id))
      found.push(`run ${name.id}: the manager never named it`);
  }
  return found;
}

type Say = (entry: Entry, what: string) => void;

function judgeEnd(list: Entry[], ends: Set<string>, say: Say): void {
  const place = list.findIndex(({ type }) => ends.has(type));
  if (place >= 0) for (const entry of list.slice(place + 1)) say(entry, 'it was over already');
}

function judgeRun(list: Entry[], say: Say): void {
  let open: Opens | undefined;
  let isOver = false;
  let nextNumber = 0;
  for (const entry of list) {
    const { type, event } = entry;
    const data = event.data as {
      given: Given;
      opens?: Opens;
      number?: number;
      callId?: string;
      outcome?: Outcome;
      epoch?: number;
    };
    if (type === 'run.settled') continue;
    if (isOver) say(entry, 'the run was over already');
    if (data.number !== undefined && type !== 'run.taken_over') {
      if (open?.kind !== 'tool' || open.number !== data.number)
        say(entry, `a result of step ${data.number}, which is not open`);
      else if (JSON.stringify(open.claim) !== JSON.stringify(data.given.claim))
        say(entry, 'a result by one who did not hold the step');
    }
    if (data.callId !== undefined && (open?.kind !== 'call' || open.callId !== data.callId))
      say(entry, 'an answer to a call that is not open');
    if (type === 'run.taken_over') {
      const { epoch, claim } = event.data as unknown as DataOf<'run.taken_over'>;
      if (open?.kind !== 'tool' || epoch !== open.epoch + 1) say(entry, `epoch ${epoch} does not follow`);
      else open = { ...open, epoch, claim };
    }
    if (data.opens) {
      if (data.opens.number !== nextNumber)
        say(entry, `opens step ${data.opens.number} instead of ${nextNumber}`);
      nextNumber = data.opens.number + 1;
      open = data.opens;
    }
    isOver = type === 'run.concluded';
  }
}

function judgeCall(list: Entry[], say: Say): void {
  let epoch = 0;
  for (const entry of list) {
    const data = entry.event.data as { epoch?: number };
    if (data.epoch === undefined) continue;
    if (data.epoch !== epoch + 1) say(entry, `epoch ${data.epoch} follows ${epoch}`);
    epoch = data.epoch;
  }
  judgeEnd(list, callEnds, say);
}

/** Where the branch in the user's repository differs from the steps that were journaled; empty = each step once, in order. */
export function branchViolations(entries: readonly RawEntry[], repository: string): string[] {
  const events = entries.map(({ journal, body }) => ({
    journal,
    ...(JSON.parse(Buffer.from(body).toString('utf8')) as Envelope),
  }));
  const taskId = events[0]?.subject ?? '';
  const [accepted] = events.filter(
    (event) => shortType(event.type) === 'task.accepted',
  ) as unknown as Envelope<DataOf<'task.accepted'>>[];
  if (!accepted) return ['the task was never accepted'];
  const range = `${accepted.data.repository.baseCommit}..switchyard/${taskId}`;
  const log = git(
    repository,
    'log',
    '--reverse',
    '--format=%H %(trailers:key=Switchyard-Step,valueonly,separator=%x2C)',
    range,
  );
  const onBranch = log === '' ? [] : log.split('\n');
  const journaled: string[] = [];
  let commit = accepted.data.repository.baseCommit;
  for (const event of events) {
    const { number, outcome } = event.data as { number?: number; outcome?: Outcome };
    if (
      !['run.stepped', 'run.concluded'].includes(shortType(event.type)) ||
      !outcome?.commit ||
      outcome.commit === commit
    )
      continue;
    commit = outcome.commit;
    journaled.push(`${commit} ${event.journal.split('.').at(-1)}/${number}`);
  }
  if (JSON.stringify(onBranch) === JSON.stringify(journaled)) return [];
  return [`the branch holds\n${onBranch.join('\n')}\nbut journaled were\n${journaled.join('\n')}`];
}
