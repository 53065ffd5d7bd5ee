import { headers } from '@nats-io/nats-core';
import type { Bus } from '../bus/connect.ts';
import type { Credential } from '../bus/credentials.ts';
import { openSigner, signatureHeader } from '../bus/signature.ts';
import { deriveId, type Envelope } from '../schemas/envelope.ts';
import type { TypeName } from '../schemas/catalogue.ts';
import { exampleEvent } from '../schemas/examples.ts';
import type { Role } from '../schemas/row.ts';
import { journalSubject, type JournalName } from '../schemas/subject.ts';

/** An event that may be appended, signed by its author. */
export interface SyntheticEntry {
  journal: string;
  event: Envelope;
  body: Uint8Array;
  signature: string;
}

export const syntheticTaskId = (number: number) => deriveId('synthetic', number);
/** What `entriesOfTask` makes of one step of a run. */
const eventsOfStep = 4;
/** What it makes beside the steps. */
const eventsAround = 5;
export const eventsOfTask = (steps: number) => eventsAround + steps * eventsOfStep;

type Signers = Partial<Record<Role, (subject: string, body: Uint8Array) => string>>;

export function signersOf(credentials: Record<string, Credential>): Signers {
  return Object.fromEntries(
    Object.values(credentials).map(({ name, privateKey }) => [name, openSigner(privateKey)]),
  );
}

/** The life of a task of so many steps, each a model call and a tool; every second one ends. */
export function entriesOfTask(
  namespace: string,
  signers: Signers,
  number: number,
  steps: number,
): SyntheticEntry[] {
  const taskId = syntheticTaskId(number);
  const runId = deriveId(taskId, 'run');
  const found: SyntheticEntry[] = [];
  const add = (type: TypeName, name: Omit<JournalName, 'taskId'>, more: object = {}) => {
    const example = exampleEvent(type);
    const journal = journalSubject(namespace, { ...name, taskId });
    const event: Envelope = {
      ...example,
      id: deriveId(journal, found.length),
      subject: taskId,
      correlationid: taskId,
      sender: name.role ?? example.sender!,
      data: { ...(example.data as object), ...more },
    };
    const body = Buffer.from(JSON.stringify(event));
    found.push({ journal, event, body, signature: signers[event.sender as Role]!(journal, body) });
  };
  const run = { entity: 'run', role: 'coder', id: runId } as const;
  const goal = `Goal ${number}: ${number % 3 === 0 ? 'mend the clock' : 'paint the fence'}`;
  add('task.accepted', { entity: 'task' }, { goal });
  add('route.decided', { entity: 'route', id: runId }, { model: number % 2 ? 'small-coder' : 'large-coder' });
  add('run.started', run);
  for (let step = 0; step < steps; step += 1) {
    const callId = deriveId(taskId, 'call', step);
    const call = { entity: 'call', id: callId } as const;
    add('call.intended', call, { callId, runId });
    add('call.completed', call, { callId, runId });
    add('run.replied', run, { callId });
    add('run.stepped', run, { number: step });
  }
  add('run.concluded', run);
  add(number % 2 ? 'task.completed' : 'task.paused', { entity: 'task' });
  return found;
}

/** Appends entries in their order; several may be on their way at a time. */
export async function append(bus: Bus, entries: SyntheticEntry[]): Promise<void> {
  for (let start = 0; start < entries.length; start += 500)
    await Promise.all(
      entries.slice(start, start + 500).map(({ journal, body, signature, event }) => {
        const header = headers();
        header.set(signatureHeader, signature);
        return bus.jetstream.publish(journal, body, { headers: header, msgID: event.id, timeout: 20_000 });
      }),
    );
}
