import { bury, type DeadLetterOptions } from './dead-letter.ts';
import type { Delivery } from './delivery.ts';
import { PermanentError, RetryableError } from './errors.ts';
import type { Log } from './log.ts';

/** What becomes of messages whose handling failed, by the consequence of the failure. */
export interface FailedMessages {
  /** Why a message is refused that comes again and again without ever being finished. */
  endlessOf(delivery: Pick<Delivery, 'sequence' | 'deliveries'>): PermanentError | undefined;
  /** Puts the message back, or gives it up as a dead letter; never throws. */
  settle(delivery: Delivery, taskId: string | undefined, error: unknown): Promise<void>;
  /** Forgets what failed before. */
  finished(sequence: number): void;
}

const mostFailures = 5;
/** A message that kills its handlers is delivered again and again, and nobody is left who counts. */
const mostDeliveries = 100;
const longestTroubleDelayMs = 5000;

export function openFailedMessages(dead: DeadLetterOptions, log: Log): FailedMessages {
  const failures = new Map<number, number>();
  const troubles = new Map<number, number>();

  function count(counts: Map<number, number>, sequence: number): number {
    const counted = (counts.get(sequence) ?? 0) + 1;
    counts.set(sequence, counted);
    return counted;
  }

  function finished(sequence: number): void {
    failures.delete(sequence);
    troubles.delete(sequence);
  }

  async function giveUp(delivery: Delivery, taskId: string | undefined, reasons: string[]): Promise<void> {
    log.error({ ...lineOf(delivery), reasons }, 'a message cannot be handled; it becomes a dead letter');
    await bury(dead, delivery, reasons, taskId);
    finished(delivery.sequence);
  }

  return {
    endlessOf({ deliveries, sequence }) {
      // What was put back because of the broker is not the message's fault.
      if (deliveries - (troubles.get(sequence) ?? 0) <= mostDeliveries) return undefined;
      return new PermanentError([`it was delivered ${deliveries} times and never finished`]);
    },
    async settle(delivery, taskId, error) {
      const { sequence } = delivery;
      try {
        if (error instanceof PermanentError) return await giveUp(delivery, taskId, error.reasons);
        if (isBrokerTrouble(error)) {
          log.warn({ ...lineOf(delivery), error }, 'a message could not be handled now; put back');
          return delivery.putBack(Math.min(125 * 2 ** count(troubles, sequence), longestTroubleDelayMs));
        }
        const failed = count(failures, sequence);
        if (failed >= mostFailures) {
          const reason = error instanceof Error ? error.message : String(error);
          return await giveUp(delivery, taskId, [`it failed ${mostFailures} times, at last with: ${reason}`]);
        }
        log.warn({ ...lineOf(delivery), error }, 'a message could not be handled; put back');
        delivery.putBack(250 * 2 ** failed);
      } catch (trouble) {
        // Nothing was said to the broker, so the message comes again when its lease ends.
        log.error({ ...lineOf(delivery), error: trouble }, 'a message could not even be put back');
      }
    },
    finished,
  };
}

const lineOf = ({ subject, sequence, deliveries }: Delivery) => ({ subject, sequence, deliveries });

/** Trouble of the broker or the connection is nobody's fault who handles a message. */
export function isBrokerTrouble(error: unknown): boolean {
  if (error instanceof RetryableError) return true;
  const names =
    /^(JetStream|Timeout|Request|NoResponders|ClosedConnection|DrainingConnection|Connection|InvalidOperation)/;
  return error instanceof Error && names.test(error.name);
}
