import Type from 'typebox';
import { roles, row } from './row.ts';

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
