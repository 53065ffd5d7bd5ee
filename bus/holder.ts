import { NoRespondersError, RequestError, type Subscription } from '@nats-io/nats-core';
import { holderSubject } from '../schemas/subject.ts';
import type { Bus } from './connect.ts';
import type { Holder } from './claim.ts';

/**
 * Answers whoever asks whether this process has an input of a journal in hand. Subscribed before the first intent, since a holder that
 * cannot answer would be taken for gone.
 */
export function answerProbes(
  bus: Bus,
  namespace: string,
  process: string,
  isActing: (holding: string) => boolean,
): Subscription {
  return bus.connection.subscribe(holderSubject(namespace, process), {
    callback: (error, message) => {
      if (!error) message.respond(isActing(message.string()) ? 'acting' : 'idle');
    },
  });
}

/** Asks the process that holds an intent. No responder: gone. No answer in time: silent, which is no death. */
export function probeHolder(bus: Bus, namespace: string, process: string, holding: string): Promise<Holder> {
  return probe(bus, holderSubject(namespace, process), holding, 500);
}

/** The same by the subject on which a process answers probes; an empty `holding` only asks whether it is connected. */
export async function probe(bus: Bus, subject: string, holding: string, timeoutMs: number): Promise<Holder> {
  try {
    const answer = await bus.connection.request(subject, holding, { timeout: timeoutMs });
    return answer.string() === 'acting' ? 'acting' : 'idle';
  } catch (error) {
    const hasNoResponder =
      error instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders());
    return hasNoResponder ? 'gone' : 'silent';
  }
}
