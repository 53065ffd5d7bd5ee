import { streamNames } from '../schemas/subject.ts';
import type { Bus } from './connect.ts';

/** What waits at one of the durable consumers of the inbox. */
export interface Backlog {
  /** `role-coder`, `pool-local`, `timer-manager` or `submit`. */
  consumer: string;
  /** Not handed out yet. */
  waiting: number;
  /** Handed out and not finished. */
  inHand: number;
}

/** What waits at each of them, by name. */
export async function readBacklogs(bus: Bus, namespace: string): Promise<Backlog[]> {
  const found: Backlog[] = [];
  for await (const info of bus.manager.consumers.list(streamNames(namespace).inbox))
    found.push({ consumer: info.name, waiting: info.num_pending, inHand: info.num_ack_pending });
  return found.toSorted((one, other) => one.consumer.localeCompare(other.consumer));
}
