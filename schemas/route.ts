import Type from 'typebox';
import { decided, row } from './row.ts';
import { AgentRoleName, Choice, Work } from './work.ts';

const runId = Type.String({ format: 'uuid' });

/** The router's journal: who does a piece of work, with which model, and why. */
export const routeRows = [
  row({
    type: 'work.route',
    version: 1,
    kind: 'command',
    journal: 'route',
    publishedBy: ['manager'],
    consumedBy: ['router'],
    summary: 'Asks for a run: which role, pool and model.',
    data: Type.Object({ work: Work }),
  }),
  row({
    type: 'route.decided',
    version: 1,
    kind: 'event',
    journal: 'route',
    publishedBy: ['router'],
    consumedBy: ['operator'],
    summary: 'The decision, once a run: role, pool, model, confidence, fallback and why.',
    data: decided({
      runId,
      role: AgentRoleName,
      pool: Type.String(),
      model: Type.String(),
      confidence: Type.Number({ minimum: 0, maximum: 1 }),
      rule: Type.String({ description: 'Name of the rule that decided' }),
      why: Type.String(),
      choices: Type.Array(Choice, {
        minItems: 1,
        description: 'The model chosen, then its fallbacks in order',
      }),
      rejected: Type.Array(Type.Object({ model: Type.String(), why: Type.String() }), {
        description: 'Models that were considered and not taken',
      }),
      work: Work,
    }),
  }),
  row({
    type: 'route.waiting',
    version: 1,
    kind: 'event',
    journal: 'route',
    publishedBy: ['router'],
    consumedBy: ['operator'],
    summary: 'No live pool can do this work; it is decided when one appears.',
    data: decided({ runId, role: AgentRoleName, why: Type.String(), mend: Type.String(), work: Work }),
  }),
] as const;
