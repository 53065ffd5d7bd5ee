import type { Consumer, JsMsg } from '@nats-io/jetstream';
import { streamNames } from '../schemas/subject.ts';
import type { Bus } from './connect.ts';
import { byPriority, ensureConsumer, leastBusyFirst } from './streams.ts';
import type { Log } from './log.ts';

/** A message in hand. Exactly one of its verbs is called, or none when its holder is fenced. */
export interface Delivery {
  subject: string;
  headers: [string, string][];
  body: Uint8Array;
  stream: string;
  sequence: number;
  deliveries: number;
  atMs: number;
  /** The subject that acknowledges this very delivery. */
  token: string;
  acknowledge(): void;
  putBack(delayMs: number): void;
  giveUp(): void;
  /** Says nothing to the broker: the message is another's now, and is not given back when this process dies. */
  leave(): void;
}

/** Tells whoever watches this process which messages it holds, so that they can be given back when it dies. */
export interface Custody {
  take(token: string): void;
  release(token: string): void;
}

export interface Intake {
  consumer: string;
  slots: number;
  /** What comes this way takes a moment (a timer, a new request, a call off), so it is no load that anyone asks for. */
  isQuick?: boolean;
}

/** How much a process can have in hand at once of what it is there for, and how much it has. */
export interface Load {
  slots: number;
  busySlots: number;
}

const waitMs = 20_000;
/** The broker knows so many priorities, from 0 on; 0 comes first. */
const priorities = 10;

/** One `next()` a free slot: nothing waits in a process that has no hand free for it. Resolves when drained. */
export function openDelivery(
  bus: Bus,
  namespace: string,
  intakes: Intake[],
  custody: Custody,
  log: Log,
  handle: (delivery: Delivery) => Promise<void>,
  consumers: Parameters<typeof ensureConsumer>[2][],
): { stop(): Promise<void>; load(): Load } {
  const stream = streamNames(namespace).inbox;
  let isStopping = false;
  let busySlots = 0;
  const stopped = Promise.withResolvers<null>();

  async function slot(intake: Intake, place: number): Promise<void> {
    let consumer: Consumer | undefined;
    while (!isStopping) {
      try {
        consumer ??= await bus.jetstream.consumers.get(stream, intake.consumer);
        const coming = consumer.next({ expires: waitMs, ...(await turnOf(consumer, intake, place)) });
        // What arrives after the order to stop is given back at once.
        void coming.then(
          (late) => isStopping && late?.nak(),
          () => {},
        );
        const message = await Promise.race([coming, stopped.promise]);
        if (!message || isStopping) continue;
        const weight = intake.isQuick ? 0 : 1;
        busySlots += weight;
        const delivery = deliveryOf(message, stream, custody);
        try {
          await handle(delivery);
        } finally {
          busySlots -= weight;
        }
      } catch (error) {
        if (isStopping) return;
        consumer = undefined;
        log.warn({ consumer: intake.consumer, error: String(error) }, 'cannot take messages; trying again');
        await new Promise((resolve) => setTimeout(resolve, 500));
        // A consumer that somebody deleted is made again; a live one is left as it is.
        const wanted = consumers.find((one) => one.durable_name === intake.consumer);
        if (wanted && /not found/i.test(String(error)))
          await ensureConsumer(bus, stream, wanted).catch(() => {});
      }
    }
  }

  const running = intakes.flatMap((intake) =>
    Array.from({ length: intake.slots }, (_, place) => slot(intake, place)),
  );
  const slots = intakes.reduce((sum, intake) => sum + (intake.isQuick ? 0 : intake.slots), 0);
  return {
    async stop() {
      isStopping = true;
      stopped.resolve(null);
      await Promise.all(running);
    },
    load: () => ({ slots, busySlots }),
  };
}

/**
 * The n-th slot of each process comes before the next slot of any: so the process with the largest share of its slots
 * free gets the message, and a slow one, whose first slots are still taken, is passed over.
 */
async function turnOf(consumer: Consumer, { slots }: Intake, place: number): Promise<object> {
  const { config } = await consumer.info(true);
  if (config.priority_policy !== byPriority) return {};
  return { group: leastBusyFirst, priority: Math.floor((place * priorities) / slots) };
}

/** A message of the inbox as the shell takes it. */
export function deliveryOf(message: JsMsg, stream: string, custody: Custody): Delivery {
  const token = (message as unknown as { reply: string }).reply;
  custody.take(token);
  const headers: [string, string][] = [];
  for (const [name, values] of message.headers ?? []) for (const value of values) headers.push([name, value]);
  const done = (verb: () => void) => () => {
    verb();
    custody.release(token);
  };
  return {
    subject: message.subject,
    headers,
    body: message.data,
    stream,
    sequence: message.info.streamSequence,
    deliveries: message.info.deliveryCount,
    atMs: message.time.getTime(),
    token,
    acknowledge: done(() => message.ack()),
    putBack: (delayMs) => done(() => message.nak(Math.max(1, Math.round(delayMs))))(),
    giveUp: done(() => message.term('dead letter')),
    leave: done(() => {}),
  };
}
