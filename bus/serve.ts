import { message, shortType, type Envelope } from '../schemas/envelope.ts';
import type { Given } from '../schemas/row.ts';
import type { Claim, Decision, Follow, Input, OpenIntent, Owed, Service } from '../schemas/service.ts';
import { liveSubject, readJournalSubject } from '../schemas/subject.ts';
import { admit, type Admitted } from './admit.ts';
import { fencedBy, isSameClaim, lookAgainMs, resolveClaim } from './claim.ts';
import type { Bus } from './connect.ts';
import type { DeadLetterOptions } from './dead-letter.ts';
import type { Delivery } from './delivery.ts';
import { PermanentError, RetryableError } from './errors.ts';
import { isBrokerTrouble, openFailedMessages } from './failed-message.ts';
import { reach } from './faults.ts';
import { probeHolder } from './holder.ts';
import { eventId, readStored, type Folded, type JournalOptions, type Journals } from './journal.ts';
import { openLock } from './journal-lock.ts';
import type { Crashes } from './crash.ts';
import type { Lease } from './lease.ts';
import type { Log } from './log.ts';
import { measureDecision, measureLostRace, measureMessage, measureTakeOver } from './measure.ts';
import { inboxOf, lineageOf, owedMessage, send } from './relay.ts';

export interface ShellOptions<State> {
  bus: Bus;
  namespace: string;
  service: Service<State>;
  process: string;
  leaseMs: number;
  journals: Journals<State>;
  journalOptions: Pick<JournalOptions<State>, 'bus' | 'namespace' | 'verify' | 'log'>;
  dead: DeadLetterOptions;
  lease: Lease;
  log: Log;
  /** Told of effects whose holder is gone. */
  crashes?: Crashes;
}

export interface Shell {
  /** Handles one message to its end: acknowledged, put back, given up, or silently left to its new holder. */
  handle(delivery: Delivery): Promise<void>;
  /** True while this process has that input of that journal in hand, as `holdingOf` names it. */
  isActing(holding: string): boolean;
}

/** What became of a message. `silent`: another holds it now, so that no verb is allowed. */
type End = { end: 'acknowledge' } | { end: 'put back'; delayMs: number } | { end: 'silent' };

/** How often a result is tried to be stored while the broker refuses it, for about 25 s in all. */
const mostTries = 8;
/** Lost races in a row after which a message is put back: as many are no race but an append that can never be clean. */
const mostRaces = 50;

/**
 * The shell: takes one message, folds its journal, decides, appends by compare-and-set, acts on an intent, relays what
 * is owed, acknowledges. Everything after an append may be repeated. The order is that of docs/architecture.md, and
 * tests/protocol-model explores it.
 */
export function openShell<State>(options: ShellOptions<State>): Shell {
  const { bus, namespace, service, journals, log } = options;
  // What is in hand, from before an intent is appended until after its result is: a probe must never miss a holder.
  const inHand = new Map<string, number>();
  const failed = openFailedMessages(options.dead, log);
  // One fold, decision and append at a time a journal; not held while acting, so that a stop is not kept waiting.
  const withLock = openLock();

  async function handle(delivery: Delivery): Promise<void> {
    let admitted: Admitted | undefined;
    const measured = measureMessage(delivery);
    try {
      admitted = admit(namespace, service.role, delivery);
      await reach('taken', admitted.row.type);
      const end = await settle(delivery, admitted);
      failed.finished(delivery.sequence);
      if (end.end === 'acknowledge') delivery.acknowledge();
      if (end.end === 'put back') delivery.putBack(end.delayMs);
      if (end.end === 'silent') delivery.leave();
    } catch (error) {
      await failed.settle(delivery, admitted?.taskId, error);
    } finally {
      measured();
    }
  }

  async function settle(delivery: Delivery, admitted: Admitted): Promise<End> {
    const mine: Claim = {
      sequence: delivery.sequence,
      deliveries: delivery.deliveries,
      process: options.process,
    };
    const kept = service.remember ? service.remember(admitted.event) : admitted.event;
    const input = await inputOf(admitted, kept, mine);
    if (!input) {
      await relay(admitted.journal, await journals.load(admitted.journal, true));
      return { end: 'acknowledge' };
    }
    const holding = holdingOf(admitted.journal, input.id);
    // A broker that forgot a delivery may hand the same message to the process that is at work on it.
    const sinceMs = inHand.get(holding);
    if (sinceMs !== undefined)
      return { end: 'put back', delayMs: lookAgainMs(Date.now() - sinceMs, options.leaseMs) };
    inHand.set(holding, Date.now());
    try {
      for (let races = 0; ; races += 1) {
        if (races >= mostRaces)
          throw new RetryableError(`${races} appends in a row to ${admitted.journal} were not clean`);
        const step = await withLock(admitted.journal, () => decideOnce(admitted, input, mine));
        if (step.next === 'again') continue;
        if (step.next === 'end') return step.end;
        return await performAndRelay(delivery, admitted, input, mine, step.folded);
      }
    } finally {
      inHand.delete(holding);
    }
  }

  /** The concluding event that a homecoming names is read from the record, so that nobody can forge one. */
  async function inputOf(admitted: Admitted, kept: Envelope, claim: Claim): Promise<Input | undefined> {
    const base = { id: kept.id, atMs: Date.now(), claim };
    if (admitted.row.kind !== 'homecoming') return { ...base, type: admitted.row.type, event: kept };
    const { journal, sequence } = kept.data as { journal: string; sequence: number };
    const stored = await readStored(options.journalOptions, journal, sequence);
    if ('problem' in stored) {
      // A broker that lost its tail leaves such references behind. Nothing hangs on them: the sweep brings what is true.
      if (!stored.isLost)
        throw new PermanentError([`it names an event that is not believed: ${stored.problem}`]);
      log.warn(
        { journal: admitted.journal, problem: stored.problem },
        'a homecoming names an event that is not there',
      );
      return undefined;
    }
    return {
      ...base,
      type: shortType(stored.event.type),
      event: stored.event,
      reference: { journal, sequence },
    };
  }

  type Step = { next: 'again' } | { next: 'end'; end: End } | { next: 'act'; folded: Folded<State> };

  async function decideOnce(admitted: Admitted, input: Input, mine: Claim): Promise<Step> {
    const { journal } = admitted;
    const endless = endlessOf(admitted, mine);
    let folded = await journals.load(journal, endless !== undefined);
    const intent = service.openIntent(folded.state);
    if (intent && intent.inputId === input.id) {
      folded = await journals.load(journal, true);
      const fresh = service.openIntent(folded.state);
      if (!fresh || fresh.inputId !== input.id) return { next: 'again' };
      return meetIntent(admitted, folded, fresh, input, mine);
    }
    if (endless) throw endless;
    let given = await gathered(folded.state, input);
    let decision = service.decide(folded.state, given);
    if (decision.do !== 'append' && !folded.isFresh) {
      // "Nothing" on a stale fold is not fenced, since nothing is appended: look first.
      folded = await journals.load(journal, true);
      const now = service.openIntent(folded.state);
      if (now && now.inputId === input.id) return { next: 'again' };
      given = await gathered(folded.state, input);
      decision = service.decide(folded.state, given);
    }
    if (decision.do === 'later') return { next: 'end', end: { end: 'put back', delayMs: decision.delayMs } };
    if (decision.do === 'nothing') {
      await relay(journal, folded);
      return { next: 'end', end: { end: 'acknowledge' } };
    }
    await reach('decided', decision.type);
    const stored = await journals.append(journal, folded, eventOf(admitted, folded, given, decision));
    if (!stored) {
      measureLostRace(service.role);
      return { next: 'again' };
    }
    logDecision(journal, stored);
    await reach('appended', decision.type);
    const opened = service.openIntent(stored.state);
    if (opened && isSameClaim(opened.claim, mine)) return { next: 'act', folded: stored };
    await relay(journal, stored);
    await reach('relayed', decision.type);
    const { againMs } = decision;
    return {
      next: 'end',
      end: againMs === undefined ? { end: 'acknowledge' } : { end: 'put back', delayMs: againMs },
    };
  }

  /** Thrown only where nobody is at work on it: what a holder has in hand comes again through no fault of its own. */
  function endlessOf({ row }: Admitted, mine: Claim): PermanentError | undefined {
    // Timers and routes that wait may be put back freely.
    return row.kind === 'timer' || row.type === 'work.route' ? undefined : failed.endlessOf(mine);
  }

  async function gathered(state: State, input: Input): Promise<Input> {
    if (!service.gather) return input;
    const facts = await service.gather(state, input);
    return facts === undefined ? input : { ...input, facts };
  }

  /** My message meets the intent that it once opened: who holds it decides what I do. */
  async function meetIntent(
    admitted: Admitted,
    folded: Folded<State>,
    intent: OpenIntent,
    input: Input,
    mine: Claim,
  ): Promise<Step> {
    const facts = { nowMs: Date.now(), leaseMs: options.leaseMs };
    let verdict = resolveClaim(intent, mine, facts);
    if (verdict.do === 'probe') {
      const holder =
        intent.claim.process === options.process
          ? 'idle'
          : await probeHolder(
              bus,
              namespace,
              intent.claim.process,
              holdingOf(admitted.journal, intent.inputId),
            );
      verdict = resolveClaim(intent, mine, { ...facts, holder });
    }
    switch (verdict.do) {
      case 'act':
        return { next: 'act', folded };
      case 'probe':
        throw new RetryableError('a probe asked for a probe');
      case 'put back':
        return { next: 'end', end: { end: 'put back', delayMs: verdict.delayMs } };
      case 'stay silent':
        return { next: 'end', end: { end: 'silent' } };
      case 'acknowledge':
        await relay(admitted.journal, folded);
        return { next: 'end', end: { end: 'acknowledge' } };
      case 'take over': {
        const endless = endlessOf(admitted, mine);
        if (endless) throw endless;
        const decision = service.takeOver?.(folded.state, input) ?? { do: 'nothing' };
        if (decision.do !== 'append')
          throw new PermanentError([`the ${service.role} does not say how to take an effect over`]);
        const stored = await journals.append(
          admitted.journal,
          folded,
          eventOf(admitted, folded, input, decision),
        );
        if (!stored) return { next: 'again' };
        log.info(
          { journal: admitted.journal, from: intent.claim.process, epoch: intent.epoch + 1 },
          'took a step over',
        );
        logDecision(admitted.journal, stored);
        tellCrash(admitted.journal, intent.claim.process);
        const opened = service.openIntent(stored.state);
        if (opened && isSameClaim(opened.claim, mine)) return { next: 'act', folded: stored };
        await relay(admitted.journal, stored);
        return { next: 'end', end: { end: 'acknowledge' } };
      }
    }
  }

  /** Acts on the open intent, and on those that its result opens, for as long as they are mine. */
  async function performAndRelay(
    delivery: Delivery,
    admitted: Admitted,
    input: Input,
    mine: Claim,
    from: Folded<State>,
  ): Promise<End> {
    const { journal } = admitted;
    let folded = from;
    options.lease.hold(delivery.token);
    try {
      for (;;) {
        const intent = service.openIntent(folded.state);
        if (!intent || !isSameClaim(intent.claim, mine)) break;
        const outcome = await perform(admitted, folded, intent);
        await reach('acted', `${readJournalSubject(namespace, journal)?.id}.${intent.key}.${intent.epoch}`);
        const result = await storeResult(admitted, input, mine, intent, outcome);
        if (result.fenced === 'superseded') return { end: 'silent' };
        folded = result.folded;
        if (result.fenced === 'no') continue;
        // My step was closed by another. If that one holds the same message for a next step, it is no longer mine.
        const open = service.openIntent(folded.state);
        if (open && open.inputId === input.id && !isSameClaim(open.claim, mine)) return { end: 'silent' };
        break;
      }
    } finally {
      options.lease.release(delivery.token);
    }
    await relay(journal, folded);
    await reach('relayed', admitted.row.type);
    return { end: 'acknowledge' };
  }

  async function perform(admitted: Admitted, folded: Folded<State>, intent: OpenIntent): Promise<unknown> {
    const { journal, taskId } = admitted;
    const abort = new AbortController();
    // Every append is also a message on its subject: a stop or a take-over by any process is seen at once.
    const watch = bus.connection.subscribe(journal, {
      callback: () => {
        void journals.load(journal, true).then(
          (now) => {
            const open = service.openIntent(now.state);
            if (fencedBy(open, intent) !== 'mine') abort.abort(new Error('the step was closed by another'));
          },
          () => {},
        );
      },
    });
    const name = readJournalSubject(namespace, journal);
    try {
      // A stop may have been stored before the subscription: look once more just before acting.
      const now = await journals.load(journal, true);
      const open = service.openIntent(now.state);
      if (fencedBy(open, intent) !== 'mine') return undefined;
      return await service.act!(folded.state, admitted.event, {
        signal: abort.signal,
        taskId,
        epoch: intent.epoch,
        process: options.process,
        live: (kind, data) =>
          bus.connection.publish(
            liveSubject(namespace, taskId, name?.id ?? ''),
            JSON.stringify({ kind, role: service.role, ...data }),
          ),
      });
    } catch (error) {
      if (abort.signal.aborted) return undefined;
      throw error;
    } finally {
      watch.unsubscribe();
    }
  }

  type Result = { fenced: 'no' | 'closed'; folded: Folded<State> } | { fenced: 'superseded' };

  /** A result that lost its race is appended again unless its step is closed or another has taken it over. */
  async function storeResult(
    admitted: Admitted,
    input: Input,
    mine: Claim,
    intent: OpenIntent,
    outcome: unknown,
  ): Promise<Result> {
    const { journal } = admitted;
    for (let attempt = 0; ; attempt += 1) {
      const store = async (): Promise<Result | undefined> => {
        const folded = await journals.load(journal, attempt > 0);
        const open = service.openIntent(folded.state);
        const fenced = fencedBy(open, intent);
        if (fenced === 'superseded') return { fenced };
        if (fenced === 'closed') {
          if (!folded.isFresh) return undefined;
          return { fenced, folded };
        }
        // The step that this result opens is decided with the same facts as any other.
        const given = await gathered(folded.state, {
          id: input.id,
          type: 'outcome',
          outcome,
          atMs: Date.now(),
          claim: mine,
        });
        const decision = service.decide(folded.state, given);
        if (decision.do !== 'append')
          throw new PermanentError([`the ${service.role} decides nothing on the result of ${intent.key}`]);
        await reach('decided', decision.type);
        const appended = await journals.append(journal, folded, eventOf(admitted, folded, given, decision));
        if (!appended) return undefined;
        logDecision(journal, appended);
        await reach('resulted', decision.type);
        return { fenced: 'no', folded: appended };
      };
      try {
        const stored = await withLock(journal, store);
        if (stored) return stored;
      } catch (error) {
        // The act was performed and maybe paid for: its result is not thrown away because the broker has no room for it now.
        if (!isBrokerTrouble(error) || attempt >= mostTries) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt));
      }
    }
  }

  /** Sends all that the journal's state owes; acknowledging comes only after every receipt. */
  async function relay(journal: string, folded: Folded<State>): Promise<void> {
    if (!folded.last) return;
    const name = readJournalSubject(namespace, journal)!;
    const owes = service.outbox(folded.state);
    for (const one of owes) if (isFollow(one)) await follow(one);
    await Promise.all(
      owes
        .filter((one): one is Owed => !isFollow(one))
        .map((owed) => {
          const event = owedMessage(namespace, service.role, journal, folded, owed);
          return send(bus, inboxOf(namespace, owed, service.role, name.taskId), event, event.id);
        }),
    );
  }

  /** What follows stored events may lag behind them, but must not hold them up. */
  async function follow(one: Follow): Promise<void> {
    try {
      await service.follow?.(one.follow);
    } catch (error) {
      log.warn({ follow: one.follow, error }, 'what should follow the stored event does not yet');
    }
  }

  function eventOf(
    admitted: Admitted,
    folded: Folded<State>,
    input: Input,
    decision: Decision & { do: 'append' },
  ): Envelope {
    const given: Given = {
      atMs: input.atMs,
      inputId: input.id,
      process: options.process,
      claim: input.claim,
      ...(input.type === 'outcome'
        ? { outcome: true }
        : input.reference
          ? { reference: input.reference }
          : { command: input.event }),
      ...(input.facts === undefined ? {} : { facts: input.facts }),
    };
    const cause = input.type === 'outcome' ? folded.last! : admitted.event;
    const lineage = lineageOf(cause, admitted.taskId, cause.id);
    return message(
      decision.type as 'task.rejected',
      eventId(admitted.journal, input.id, folded.count, decision.type),
      service.role,
      'record',
      { ...lineage, hop: decision.hop ?? lineage.hop, cyclesLeft: decision.cyclesLeft ?? lineage.cyclesLeft },
      input.atMs,
      { ...decision.data, given } as never,
    );
  }

  /** A process that goes on with what it had itself declared has not come to grief. */
  function tellCrash(journal: string, holder: string): void {
    measureTakeOver(service.role);
    if (holder === options.process) return;
    const why = `${holder} had declared a step of ${journal} and brought no result; ${options.process} goes on`;
    void options.crashes?.report({ process: holder, sign: 'open_intent', why, journal });
  }

  function logDecision(journal: string, stored: Folded<State>): void {
    const event = stored.last!;
    measureDecision(event);
    log.info(
      {
        task: event.subject,
        journal,
        event: shortType(event.type),
        id: event.id,
        ...idsIn(journal, event.data),
        trace: event.traceparent?.split('-')[1],
        hop: event.hop,
      },
      shortType(event.type),
    );
  }

  return {
    handle,
    isActing: (holding) => inHand.has(holding),
  };
}

/** What a line names beside its task, so that a person finds it by any of them. */
function idsIn(journal: string, data: unknown): { run?: string; call?: string; request?: string } {
  const ofRun = /\.run\.[^.]+\.([^.]+)$/.exec(journal)?.[1];
  const { runId = ofRun, callId, reply, requestId } = (data ?? {}) as Record<string, unknown>;
  const request = requestId ?? (reply as { requestId?: unknown } | undefined)?.requestId;
  return {
    ...(typeof runId === 'string' ? { run: runId } : {}),
    ...(typeof callId === 'string' ? { call: callId } : {}),
    ...(typeof request === 'string' ? { request } : {}),
  };
}

const holdingOf = (journal: string, inputId: string) => `${journal} ${inputId}`;

const isFollow = (one: Owed | Follow): one is Follow => 'follow' in one;
