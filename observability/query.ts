import type { QueryName, QueryReply, TaskSummary } from '../schemas/query.ts';
import type { RecordedEvent, TaskView } from './task-view.ts';

/** The subject that a question is asked on: `yard.query.tasks`. */
export function querySubject(namespace: string, name: QueryName): string {
  return `${namespace}.query.${name}`;
}

/** What the page is given for its link, once (`POST /session`), and again as long as its cookie holds. */
export interface PageSession {
  /** `ws://127.0.0.1:PORT`, the broker's WebSocket. */
  url: string;
  user: string;
  password: string;
  namespace: string;
  mesh: string;
  /** When the password stops working, milliseconds since 1970 UTC. */
  expiresAtMs: number;
}

/** A goal may be long; a row of a list is not. */
const mostGoalCharacters = 500;

/** A task in one row, out of its view and its first event's place. */
export function summaryOf(view: TaskView, firstSequence: number): TaskSummary {
  const { work, limits, repository, testsBefore, testsAfter, waiting, pause } = view;
  const models = Object.values(view.runs).flatMap((run) => run.choices.slice(0, 1).map((one) => one.model));
  if (view.route) models.push(view.route.model);
  const { goal } = view;
  return {
    taskId: view.taskId,
    goal: goal.length > mostGoalCharacters ? `${goal.slice(0, mostGoalCharacters - 1)}…` : goal,
    repository: repository?.path ?? '',
    ...(view.branch ? { branch: view.branch } : {}),
    state: view.state,
    ...(work ? { roleAtWork: work.role, itemIndex: work.itemIndex, itemCount: work.itemCount } : {}),
    hop: work?.hop ?? 0,
    maxHops: limits?.hops ?? 0,
    cyclesLeft: work?.cyclesLeft ?? limits?.cycles ?? 0,
    maxCycles: limits?.cycles ?? 0,
    calls: view.spend.calls,
    inputTokens: view.spend.inputTokens,
    outputTokens: view.spend.outputTokens,
    costMicroDollars: view.spend.costMicroDollars,
    budgetMicroDollars: limits?.budgetMicroDollars ?? 0,
    models: [...new Set(models)],
    isScripted: view.isScripted,
    openCalls: Object.keys(view.openCalls).length,
    takeOvers: view.takeOvers.length,
    denials: view.denials.length,
    events: view.events,
    firstSequence,
    lastSequence: view.lastSequence,
    startedAtMs: view.startedAtMs,
    updatedAtMs: view.lastAtMs,
    ...(view.endedAtMs === undefined ? {} : { endedAtMs: view.endedAtMs }),
    ...(testsBefore ? { testsBefore: testCount(testsBefore) } : {}),
    ...(testsAfter ? { testsAfter: testCount(testsAfter) } : {}),
    ...(waiting ? { waiting: { role: waiting.role, why: waiting.why, mend: waiting.mend } } : {}),
    ...(pause ? { pause: { ...pause } } : {}),
    reasons: view.reasons,
    ...(view.mend ? { mend: view.mend } : {}),
  };
}

function testCount({ testsPass, passed, failed }: NonNullable<TaskSummary['testsAfter']>) {
  return { testsPass, passed, failed };
}

/** How long a task has been at it: to its end, or to `nowMs`. */
export function ageMs(task: Pick<TaskSummary, 'startedAtMs' | 'endedAtMs'>, nowMs: number): number {
  return Math.max(0, (task.endedAtMs ?? nowMs) - task.startedAtMs);
}

/** How far somebody who shows events has come. */
export interface Reached {
  record: string;
  position: number;
}

/**
 * What a reply to `events` or `task`, asked after what is known, adds to it: only what is new, in order, and how far that
 * reaches. `isAnew`: the read model is another one than before; drop everything known, and ask again from `reached` on.
 */
export function takeEvents(
  known: Reached | undefined,
  reply: Pick<QueryReply<'events'>, 'record' | 'position' | 'events' | 'more'>,
): { isAnew: boolean; events: RecordedEvent[]; reached: Reached } {
  const { record } = reply;
  if (known !== undefined && known.record !== record)
    return { isAnew: true, events: [], reached: { record, position: 0 } };
  const from = known?.position ?? 0;
  const events = (reply.events as RecordedEvent[]).filter((one) => one.sequence > from);
  const last = events.at(-1)?.sequence ?? from;
  // Without more to come, what is known reaches as far as the read model does, whatever lay in between.
  const position = reply.more ? last : Math.max(last, reply.position);
  return { isAnew: false, events, reached: { record, position } };
}
