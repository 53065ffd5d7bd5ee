import type { DataOf } from '../../../schemas/catalogue.ts';
import { shortType } from '../../../schemas/envelope.ts';
import type { RecordedEvent } from '../../task-view.ts';

/** A message from one agent to another, as the record shows it was sent. */
export interface Said {
  id: string;
  /** Place in the task's events. */
  index: number;
  atMs: number;
  sender: string;
  recipient: string;
  /** What kind of message it is, such as `run.start`. */
  type: string;
  /** In a sentence. */
  text: string;
  payload: unknown;
  hop: number;
  cyclesLeft: number;
}

/** Messages between agents, in order. Each event of the record holds the command or homecoming that it answers. */
export function conversationOf(events: readonly RecordedEvent[]): Said[] {
  const said: Said[] = [];
  const say = (
    recorded: RecordedEvent,
    index: number,
    recipient: string,
    type: string,
    text: string,
    payload: unknown,
  ) =>
    said.push({
      id: `${recorded.event.id}-${type}`,
      index,
      atMs: recorded.atMs,
      sender: recorded.event.sender ?? '?',
      recipient,
      type,
      text,
      payload,
      hop: recorded.event.hop ?? 0,
      cyclesLeft: recorded.event.cyclesleft ?? 0,
    });
  events.forEach((recorded, index) => {
    const { data } = recorded.event;
    const type = shortType(recorded.event.type);
    if (type.startsWith('task.')) {
      const { next } = data as Partial<DataOf<'task.handed_over'>>;
      if (!next) return;
      const asked = type === 'task.revision_requested' ? next.findings : [];
      const text =
        asked.length > 0
          ? `${asked.length === 1 ? 'This is' : 'These are'} to be changed: ${asked.map((one) => one.evidence).join('; ')}`
          : next.goal;
      // The manager asks the router, who passes it on to the role: one message for a reader.
      say(recorded, index, next.role, 'work.route', text, next);
    } else if (type === 'route.decided') {
      const { role, choices, why, confidence } = data as DataOf<'route.decided'>;
      say(recorded, index, role, 'run.start', `Take it with ${choices[0]?.model ?? '?'}: ${why}`, {
        choices,
        confidence,
      });
    } else if (type === 'call.intended') {
      const { given } = data as DataOf<'call.intended'>;
      const command = given.command as { data?: unknown } | undefined;
      const { role, pool, model } = data as DataOf<'call.intended'>;
      said.push({
        id: recorded.event.id,
        index,
        atMs: recorded.atMs,
        sender: role,
        recipient: `pool ${pool}`,
        type: 'call.ask',
        text: `Asks ${model} for one reply.`,
        payload: command?.data ?? data,
        hop: recorded.event.hop ?? 0,
        cyclesLeft: recorded.event.cyclesleft ?? 0,
      });
    } else if (type === 'call.completed') {
      const { reply, model } = data as DataOf<'call.completed'>;
      const calls = reply.toolCalls.map((one) => one.name).join(', ');
      say(
        recorded,
        index,
        'run',
        'call.answered',
        reply.content || `${model} calls ${calls || 'nothing'}`,
        reply,
      );
    } else if (type === 'call.failed') {
      const failed = data as DataOf<'call.failed'>;
      say(recorded, index, 'run', 'call.answered', failed.message, failed);
    } else if (type === 'run.concluded') {
      const { result, reason, ending } = data as DataOf<'run.concluded'>;
      const summary = result && 'summary' in result ? result.summary : reason || ending;
      say(recorded, index, 'manager', 'work.concluded', summary, result ?? { ending, reason });
    }
  });
  // A call's answer goes to the role that asked.
  const roles = new Map<string, string>();
  for (const one of said) {
    const { callId } = (events[one.index]!.event.data ?? {}) as { callId?: string };
    if (one.type === 'call.ask' && callId) roles.set(callId, one.sender);
    if (one.type === 'call.answered' && callId) one.recipient = roles.get(callId) ?? 'run';
  }
  return said;
}
