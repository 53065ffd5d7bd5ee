import { v4 } from 'uuid';
import { deriveId, message, shortType, type Envelope } from '../schemas/envelope.ts';
import type { Given } from '../schemas/row.ts';
import type { Owed, Service } from '../schemas/service.ts';
import { journalSubject, readJournalSubject, roleInbox, streamNames } from '../schemas/subject.ts';
import type { Bus } from './connect.ts';
import { readBelieved, readStored, type Folded, type JournalOptions, type Journals } from './journal.ts';
import type { Log } from './log.ts';
import { inboxOf, lineageOf, owedMessage, send } from './relay.ts';

export interface SweepOptions<State> {
  bus: Bus;
  namespace: string;
  service: Service<State>;
  journals: Journals<State>;
  /** Absent: signatures are not checked, as where the journals are folded. */
  verify?: JournalOptions<State>['verify'];
  log: Log;
  /** A journal that had an event more recently than this is left alone. */
  quietMs: number;
}

/**
 * The safety net under lost messages: for each journal that still owes something, pulls the answer that should have
 * come, or asks again. Asking again uses a fresh message id, since a derived one may still be remembered and swallowed.
 */
export function openSweep<State>(options: SweepOptions<State>): { sweep(): Promise<number> } {
  const { bus, namespace, service, journals, log } = options;
  const streams = streamNames(namespace);
  const believing = { bus, namespace, log, ...(options.verify ? { verify: options.verify } : {}) };
  const closed = new Set<string>();
  const pattern = journalSubject(namespace, {
    entity: service.entity,
    taskId: '*',
    role: service.role,
    id: '*',
  });

  async function sweep(): Promise<number> {
    let pulled = 0;
    const info = await bus.manager.streams.info(streams.events, { subjects_filter: pattern });
    for (const journal of Object.keys(info.state.subjects ?? {})) {
      if (closed.has(journal)) continue;
      try {
        pulled += await sweepJournal(journal);
      } catch (error) {
        // One journal that cannot be swept must not leave the others unswept.
        log.warn({ journal, error }, 'a journal could not be swept');
      }
    }
    return pulled;
  }

  async function sweepJournal(journal: string): Promise<number> {
    const folded = await journals.load(journal, true);
    if (!folded.last) return 0;
    if (Date.now() - Date.parse(folded.last.time ?? '') < options.quietMs) return 0;
    const { isSettled, sent } = await sweepOne(journal, folded);
    if (isSettled && service.isOver(folded.state)) {
      closed.add(journal);
      journals.forget(journal);
    }
    return sent;
  }

  async function sweepOne(
    journal: string,
    folded: Folded<State>,
  ): Promise<{ isSettled: boolean; sent: number }> {
    let sent = 0;
    let isSettled = true;
    for (const owed of service.outbox(folded.state)) {
      if ('follow' in owed) continue;
      if (!owed.answer && owed.to.inbox !== 'timer') continue;
      const answered = await answerOf(journal, owed);
      if (answered && !owed.answer?.home) continue;
      isSettled = false;
      const again = answered
        ? homecoming(journal, folded, owed, answered)
        : await missing(journal, folded, owed);
      if (!again || (await isWaiting(again.subject))) continue;
      await send(bus, again.subject, again.event, v4());
      sent += 1;
      log.info(
        { journal, sent: shortType(again.event.type), to: again.subject },
        'the sweep sent again what was lost',
      );
    }
    const intent = service.openIntent(folded.state);
    if (intent) {
      isSettled = false;
      const input = await inputOfIntent(journal, folded, intent.inputId);
      if (input) {
        await send(bus, input.subject, input.event, v4());
        sent += 1;
        log.info(
          { journal, input: shortType(input.event.type) },
          'the sweep sent the input of an open step again',
        );
      }
    }
    return { isSettled, sent };
  }

  async function answerOf(
    journal: string,
    owed: Owed,
  ): Promise<{ journal: string; sequence: number } | undefined> {
    if (!owed.answer) return undefined;
    const { taskId } = readJournalSubject(namespace, journal)!;
    const subject = journalSubject(namespace, { ...owed.answer.journal, taskId });
    const { isAnsweredBy } = owed.answer;
    const isAnswer = (event: Envelope) =>
      isAnsweredBy.includes('*') || isAnsweredBy.includes(shortType(event.type));
    const tail = await bus.manager.direct
      .getMessage(streams.events, { last_by_subj: subject })
      .catch(() => null);
    if (!tail) return undefined;
    const last = await readStored(believing, subject, tail.seq);
    if (!('problem' in last))
      return isAnswer(last.event) ? { journal: subject, sequence: tail.seq } : undefined;
    // Something that is not believed stands last, and may hide the answer.
    let answer: { journal: string; sequence: number } | undefined;
    for await (const { event, sequence } of readBelieved(believing, subject)) {
      if (isAnswer(event)) answer = { journal: subject, sequence };
    }
    return answer;
  }

  function homecoming(
    journal: string,
    folded: Folded<State>,
    owed: Owed,
    answer: { journal: string; sequence: number },
  ) {
    const { taskId, id } = readJournalSubject(namespace, journal)!;
    const home = owed.answer!.home!;
    const last = folded.last!;
    const data = { ...answer, ...(home.type === 'call.answered' ? { runId: id } : {}) };
    const event = message(
      home.type as 'call.answered',
      deriveId(answer.journal, 'home'),
      service.role,
      home.role,
      lineageOf(last, taskId, last.id),
      Date.parse(last.time ?? ''),
      data as never,
    );
    return { subject: roleInbox(namespace, home.role, taskId), event };
  }

  async function missing(journal: string, folded: Folded<State>, owed: Owed) {
    const { taskId } = readJournalSubject(namespace, journal)!;
    return {
      subject: inboxOf(namespace, owed, service.role, taskId),
      event: owedMessage(namespace, service.role, journal, folded, owed),
    };
  }

  /** A message that still waits, or is in somebody's hands, needs no copy. Counted, since no role may read what waits. */
  async function isWaiting(subject: string): Promise<boolean> {
    const { state } = await bus.manager.streams.info(streams.inbox, { subjects_filter: subject });
    return (state.subjects?.[subject] ?? 0) > 0;
  }

  /**
   * The message whose delivery opened the intent, made again from the record, unless something of its task is still
   * there: that may be the very message, and once it is gone, the next sweep looks again.
   */
  async function inputOfIntent(journal: string, folded: Folded<State>, inputId: string) {
    const { taskId, id } = readJournalSubject(namespace, journal)!;
    if (await isWaiting(roleInbox(namespace, service.role, taskId))) return undefined;
    for await (const { event: said } of readBelieved(believing, journal)) {
      const { given } = said.data as { given?: Given };
      if (given?.inputId !== inputId) continue;
      const command = given.command as Envelope | undefined;
      // What was kept of a model call is not the whole question; its run asks again.
      if (command)
        return service.remember
          ? undefined
          : { subject: roleInbox(namespace, service.role, taskId), event: command };
      if (!given.reference) continue;
      const last = folded.last!;
      const data = { ...given.reference, runId: id! };
      const event = message(
        'call.answered',
        inputId,
        service.role,
        service.role,
        lineageOf(last, taskId, last.id),
        given.atMs,
        data,
      );
      return { subject: roleInbox(namespace, service.role, taskId), event };
    }
    return undefined;
  }

  return { sweep };
}
