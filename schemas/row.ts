import Type, { type Static, type TSchema, type TProperties } from 'typebox';

/** Who may author a message. `operator` is a person or a program outside the mesh. */
export const roles = ['manager', 'router', 'planner', 'coder', 'tester', 'reviewer', 'inference'] as const;
export type Role = (typeof roles)[number];
/** The roles that are agents: a run loop around a prompt, tools and a result. */
export const agentRoles = ['planner', 'coder', 'tester', 'reviewer'] as const;
export type AgentRole = (typeof agentRoles)[number];
export type Author = Role | 'operator';

/** The five kinds of journal; each is all events on one literal subject. */
export type Entity = 'task' | 'route' | 'run' | 'call' | 'mesh';

/**
 * One row of the contract. Out of it come the TypeScript type, JSON Schema, AsyncAPI, subject, permissions and docs.
 * `event`: a fact, appended to its journal. `command`: asks a role to do something, goes to its inbox.
 * `homecoming`: a command that only names a concluding event (journal subject and sequence). `timer`: a command that
 * is not handled before it is due. `request`: asked from outside, arrives at `<namespace>.submit`.
 */
export interface Row<Data extends TSchema = TSchema> {
  type: string;
  version: number;
  kind: 'event' | 'command' | 'homecoming' | 'timer' | 'request';
  /** The journal the event is appended to, or the one the command is decided on. */
  journal: Entity;
  /** A command that waits for a free worker of a pool, rather than for any process of the role. */
  inbox?: 'pool';
  publishedBy: readonly Author[];
  consumedBy: readonly Author[];
  summary: string;
  data: Data;
}

/** Keeps the row's literal types, so that a type's data can be looked up by its name. */
export function row<const Definition extends Row>(definition: Definition): Definition {
  return definition;
}

/** What every decision was given, so that a replay can decide again and compare. */
export const Given = Type.Object(
  {
    atMs: Type.Integer({
      minimum: 0,
      description: 'The clock as the shell stamped it, milliseconds since 1970 UTC',
    }),
    inputId: Type.String({ description: 'Id of the message that was decided on' }),
    process: Type.String({ description: 'Instance id of the process that decided' }),
    claim: Type.Optional(
      Type.Object(
        {
          sequence: Type.Integer({ description: 'Stream sequence of the message in the inbox' }),
          deliveries: Type.Integer({ description: 'How often that message had been delivered' }),
          process: Type.String(),
        },
        { description: 'The very delivery that the decision was made for' },
      ),
    ),
    command: Type.Optional(Type.Unknown({ description: 'The command decided on, as its whole CloudEvent' })),
    reference: Type.Optional(
      Type.Object(
        { journal: Type.String(), sequence: Type.Integer({ minimum: 1 }) },
        { description: 'The concluding event decided on, by its place in the record' },
      ),
    ),
    outcome: Type.Optional(
      Type.Boolean({
        description: 'True when the decision was made on the outcome of an act; the outcome is in the data',
      }),
    ),
    facts: Type.Optional(
      Type.Unknown({ description: 'What was looked up before deciding: registry, prices, repository' }),
    ),
  },
  { description: 'All that the decision was given' },
);
export type Given = Static<typeof Given>;

/** The data of an event that was decided: its own properties and what was given. */
export function decided<Properties extends TProperties>(properties: Properties) {
  return Type.Object({ given: Given, ...properties });
}
