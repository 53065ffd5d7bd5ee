import { definitions } from '../agents/roles.ts';
import * as run from '../agents/run.ts';
import { evolve as evolveRun, noRun, type Run } from '../agents/run-state.ts';
import { evolve as evolveTask, noTask, type Task } from '../agents/manager/task.ts';
import { decide as decideTask } from '../agents/manager/workflow.ts';
import * as call from '../inference/call.ts';
import { decide as decideRoute, evolve as evolveRoute, noRoute, type Route } from '../router/route.ts';
import { agentRoles, type AgentRole } from '../schemas/row.ts';
import type { Decision, Input, OpenIntent, Service, Stored } from '../schemas/service.ts';
import type { JournalName } from '../schemas/subject.ts';

/** The pure part of a role, whatever its state is. */
export interface Decider {
  initial: unknown;
  evolve(state: unknown, stored: Stored): unknown;
  decide(state: unknown, input: Input): Decision;
  openIntent(state: unknown): OpenIntent | undefined;
  takeOver(state: unknown, input: Input): Decision;
}

type Pure<State> = Pick<Service<State>, 'initial' | 'evolve' | 'decide' | 'openIntent'> & {
  takeOver?(state: State, input: Input): Decision;
};

/** The very functions that decided on a journal; undefined for a journal on which nothing is decided. */
export function deciderOf(name: JournalName): Decider | undefined {
  switch (name.entity) {
    case 'task':
      return anyState<Task>({
        initial: noTask,
        evolve: evolveTask,
        decide: decideTask,
        openIntent: () => undefined,
      });
    case 'route':
      return anyState<Route>({
        initial: noRoute,
        evolve: evolveRoute,
        decide: decideRoute,
        openIntent: () => undefined,
      });
    case 'run': {
      const role = name.role as AgentRole;
      if (!agentRoles.includes(role)) return undefined;
      const definition = definitions[role];
      return anyState<Run>({
        initial: noRun,
        evolve: evolveRun,
        decide: (state, input) => run.decide(definition, state, input),
        openIntent: run.openIntent,
        takeOver: (state, input) => run.takeOver(definition, state, input),
      });
    }
    case 'call':
      return anyState<call.Call>({
        initial: call.noCall,
        evolve: call.evolve,
        decide: call.decide,
        openIntent: call.openIntent,
        takeOver: call.takeOver,
      });
    case 'mesh':
      return undefined;
  }
}

/** The state goes from one function of a role to the next and is nobody else's business. */
function anyState<State>(pure: Pure<State>): Decider {
  return {
    initial: pure.initial,
    evolve: (state, stored) => pure.evolve(state as State, stored),
    decide: (state, input) => pure.decide(state as State, input),
    openIntent: (state) => pure.openIntent(state as State),
    takeOver: (state, input) => pure.takeOver?.(state as State, input) ?? { do: 'nothing' },
  };
}
