import { readMessage, readSubmission } from '../schemas/binding.ts';
import { rowOf, rowOfCloudEventType } from '../schemas/catalogue.ts';
import { shortType, taskIdOf, type Envelope } from '../schemas/envelope.ts';
import type { Role, Row } from '../schemas/row.ts';
import { journalSubject, submitSubject } from '../schemas/subject.ts';
import { problemsOf } from '../schemas/validate.ts';
import type { Delivery } from './delivery.ts';
import { PermanentError } from './errors.ts';

/** A message that may be decided on: what it is and on which journal. */
export interface Admitted {
  event: Envelope;
  row: Row;
  taskId: string;
  journal: string;
}

/** Reads a message by the contract; throws PermanentError with every reason when it is none that this role takes. */
export function admit(namespace: string, role: Role, delivery: Delivery): Admitted {
  if (delivery.subject === submitSubject(namespace)) return admitRequest(namespace, delivery);
  const read = readMessage(delivery.headers, delivery.body);
  if ('problems' in read) throw new PermanentError(read.problems);
  if (!('event' in read))
    throw new PermanentError(['it is no CloudEvent: specversion, id, source and type are missing']);
  const problems = problemsOf(read.event);
  if (problems.length > 0) throw new PermanentError(problems);
  const row = rowOf(shortType(read.event.type) as never);
  if (!row.consumedBy.includes(role)) throw new PermanentError([`${row.type} is not for the ${role}`]);
  if (row.kind === 'event' || row.kind === 'request') throw new PermanentError([`${row.type} is no command`]);
  const taskId = read.event.subject ?? '';
  if (taskId === '') throw new PermanentError(['subject: must be the id of the task']);
  return {
    event: read.event,
    row,
    taskId,
    journal: journalOfCommand(namespace, role, row, read.event, taskId),
  };
}

/** A request from outside may break its schema and still become a task's rejection: the manager says why. */
function admitRequest(namespace: string, delivery: Delivery): Admitted {
  const read = readSubmission(delivery.headers, delivery.body, {
    stream: delivery.stream,
    sequence: delivery.sequence,
    timestampMs: delivery.atMs,
  });
  if ('problems' in read) throw new PermanentError(read.problems);
  const row = rowOfCloudEventType(read.event.type);
  if ('problem' in row) throw new PermanentError([`type: ${row.problem}`]);
  if (row.kind !== 'request') throw new PermanentError([`${row.type} cannot be asked for from outside`]);
  if (row.type !== 'task.submit') {
    const problems = problemsOf(read.event);
    if (problems.length > 0) throw new PermanentError(problems);
  }
  const taskId =
    row.type === 'task.submit' ? taskIdOf(read.event) : (read.event.data as { taskId: string }).taskId;
  return { event: read.event, row, taskId, journal: journalSubject(namespace, { entity: 'task', taskId }) };
}

function journalOfCommand(namespace: string, role: Role, row: Row, event: Envelope, taskId: string): string {
  const data = event.data as { runId?: string; callId?: string; work?: { runId: string } };
  const id = row.journal === 'call' ? data.callId : (data.work?.runId ?? data.runId);
  return journalSubject(namespace, { entity: row.journal, taskId, role, ...(id ? { id } : {}) });
}
