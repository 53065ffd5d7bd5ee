import Type from 'typebox';
import { decided, roles, row } from './row.ts';

const breaker = {
  version: 1,
  kind: 'event',
  journal: 'mesh',
  publishedBy: ['inference'],
  consumedBy: ['operator', 'router', 'inference'],
} as const;

/** What every change of a breaker says. */
const breakerChange = (untilMs: string) => ({
  pool: Type.String(),
  why: Type.String(),
  untilMs: Type.Integer({ minimum: 0, description: untilMs }),
  trips: Type.Integer({
    minimum: 0,
    description: 'Openings in a row; each rests longer than the one before',
  }),
  counts: Type.Object(
    {
      failures: Type.Integer({ minimum: 0 }),
      successes: Type.Integer({ minimum: 0 }),
      causes: Type.Record(Type.String(), Type.Integer({ minimum: 0 }), { description: 'Failures by cause' }),
    },
    { description: 'What the process that says it counted, attempts of calls, within its window' },
  ),
  queue: Type.Optional(
    Type.Object(
      {
        waiting: Type.Integer({ minimum: 0, description: 'Calls that wait for a worker of the pool' }),
        slots: Type.Integer({ minimum: 0, description: 'Calls that its workers answer at a time' }),
        callMs: Type.Integer({ minimum: 0, description: 'How long a call takes' }),
      },
      { description: 'How long the queue of the pool was' },
    ),
  ),
});

/** Whom a mode is for; neither: everyone. */
const ObservedScope = {
  role: Type.Optional(Type.String({ description: 'The processes of this role' })),
  process: Type.Optional(Type.String({ description: 'This process' })),
};

/** What concerns the mesh rather than one task's own work. */
export const meshRows = [
  row({
    type: 'mesh.dead_lettered',
    version: 1,
    kind: 'event',
    journal: 'mesh',
    publishedBy: roles,
    consumedBy: ['operator', 'manager'],
    summary: 'A message could not be handled: which, why, and how to retry it.',
    data: Type.Object({
      messageId: Type.String(),
      subject: Type.String({ description: 'Where the message waited' }),
      sequence: Type.Integer({ minimum: 0 }),
      deliveries: Type.Integer({ minimum: 0 }),
      reasons: Type.Array(Type.String(), { minItems: 1 }),
      role: Type.String(),
      process: Type.String(),
      atMs: Type.Integer(),
      retry: Type.String({ description: 'The command that puts it back' }),
    }),
  }),
  row({
    ...breaker,
    type: 'breaker.opened',
    summary: 'A pool fails or has no chance to keep up: nothing is routed to it until it was probed.',
    data: decided(breakerChange('When it may be probed')),
  }),
  row({
    ...breaker,
    type: 'breaker.half_opened',
    summary: 'The rest of a pool is over and one process probes it; it is routed to as a last choice.',
    data: decided({
      ...breakerChange('When another process may probe it, should this one have ended'),
      probe: Type.String({ description: 'The process that probes' }),
    }),
  }),
  row({
    ...breaker,
    type: 'breaker.closed',
    summary: 'A pool answered its probe: it is routed to as any other.',
    data: decided(breakerChange('Until when another opening counts as the same trouble')),
  }),
  row({
    type: 'mesh.mode',
    version: 1,
    kind: 'event',
    journal: 'mesh',
    publishedBy: ['operator'],
    consumedBy: [...roles, 'operator'],
    summary: 'A person switched what leaves the processes: all of them, those of a role, or one.',
    data: decided({
      ...ObservedScope,
      mode: Type.Enum(['shipping', 'debug'], {
        description: '`shipping`: spans alone; `debug`: also logs in full and metrics',
      }),
      untilMs: Type.Optional(
        Type.Integer({
          minimum: 0,
          description: 'When it ends by itself; absent: when it is switched again',
        }),
      ),
      endsBeforeMs: Type.Optional(
        Type.Integer({
          minimum: 0,
          description:
            'Of `debug`: when `shipping` was last said of the same before it. What was opened until then stays over',
        }),
      ),
    }),
  }),
  row({
    type: 'mesh.crash',
    version: 1,
    kind: 'event',
    journal: 'mesh',
    publishedBy: [...roles, 'operator'],
    consumedBy: [...roles, 'operator'],
    summary:
      'A process came to grief: why it is believed, and until when the processes of its role are debugged.',
    data: decided({
      process: Type.String({ description: 'The process that is gone' }),
      role: Type.String({ description: 'Whose processes are debugged' }),
      sign: Type.Enum(['exit', 'silence', 'open_intent', 'unclean_start'], {
        description:
          'exit: its launcher saw it end unasked; silence: its heartbeat stopped and it had not said farewell; open_intent: what it had declared has no result; unclean_start: the mesh that it was of was killed, and the next one found its traces',
      }),
      why: Type.String(),
      journal: Type.Optional(Type.String({ description: 'The journal with the open intent' })),
      untilMs: Type.Integer({ minimum: 0, description: 'When the debugging ends by itself' }),
    }),
  }),
  row({
    type: 'message.dead',
    version: 1,
    kind: 'homecoming',
    journal: 'task',
    publishedBy: roles,
    consumedBy: ['manager'],
    summary: 'Tells the manager that a message of its task was given up.',
    data: Type.Object({ journal: Type.String(), sequence: Type.Integer({ minimum: 1 }) }),
  }),
] as const;
