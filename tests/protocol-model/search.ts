import { newCanonical } from './canonical.ts';
import { abandoned, faults, sweepsAtRest } from './faults.ts';
import type { Mesh, Transition } from './mesh.ts';
import { wrongRest } from './properties.ts';
import { type State, initialState } from './state.ts';
import { steps } from './steps.ts';

export interface Finding {
  states: number;
  /** The violated property, with the shortest way to it; undefined if all holds. */
  wrong?: string;
  trace: string[];
}

/** Thrown when a configuration has more states than it is worth. */
class TooManyStates extends Error {}

/**
 * Visits every state that the mesh can reach, breadth first, up to the first violation: an append or an act
 * that should not be, a rest with work undone, or a state from which no fault-free way leads to a rest.
 */
export function search(mesh: Mesh, mostStates = 2_000_000): Finding {
  const canonical = newCanonical();
  const numbers = new Map<string, number>();
  const parents: number[] = [];
  const ends: number[] = [];
  // The fault-free edges, as pairs.
  const from: number[] = [];
  const to: number[] = [];
  const found = (number: number, wrong: string): Finding => ({
    states: parents.length,
    wrong,
    trace: traceTo(mesh, number, parents, (state) => numbers.get(canonical(state))),
  });
  const visit = (key: string, parent: number): number => {
    parents.push(parent);
    numbers.set(key, parents.length - 1);
    return parents.length - 1;
  };

  const initial = initialState(mesh.configuration);
  let level: [State, number][] = [[initial, visit(canonical(initial), -1)]];
  while (level.length > 0) {
    const next: typeof level = [];
    for (const [state, number] of level) {
      const transitions = transitionsFrom(mesh, state);
      if (!transitions.some((one) => !one.isFault)) {
        const wrong = wrongRest(state);
        if (wrong) return found(number, wrong);
        ends.push(number);
      }
      for (const transition of transitions) {
        const key = canonical(transition.to);
        let reached = numbers.get(key);
        if (reached === undefined) {
          reached = visit(key, number);
          next.push([transition.to, reached]);
        }
        // The state may have been met before without the violation: trace the way that was just found.
        if (transition.wrong) {
          const wayHere = found(number, transition.wrong);
          return { ...wayHere, trace: [...wayHere.trace, transition.says] };
        }
        if (!transition.isFault) {
          from.push(number);
          to.push(reached);
        }
      }
      if (parents.length > mostStates) throw new TooManyStates(`more than ${mostStates} states`);
    }
    level = next;
  }

  const lost = firstWithoutEnd(parents.length, ends, from, to);
  if (lost !== undefined) return found(lost, 'no fault-free way leads from here to an end');
  return { states: parents.length, trace: [] };
}

function transitionsFrom(mesh: Mesh, state: State): Transition[] {
  const moves = [...steps(mesh, state), ...abandoned(state)];
  const isAtRest = !moves.some((one) => !one.isFault);
  return [...moves, ...(isAtRest ? sweepsAtRest(mesh, state) : []), ...faults(mesh, state)];
}

/** Walks back from the ends along the fault-free edges; returns the first state that is not met. */
function firstWithoutEnd(states: number, ends: number[], from: number[], to: number[]): number | undefined {
  // Edges sorted by where they lead, so that those into one state lie together.
  const start = new Uint32Array(states + 2);
  for (const state of to) start[state + 2]! += 1;
  for (let state = 2; state < start.length; state++) start[state]! += start[state - 1]!;
  const sources = new Uint32Array(from.length);
  for (const [edge, state] of to.entries()) {
    sources[start[state + 1]!] = from[edge]!;
    start[state + 1]! += 1;
  }
  const reachesEnd = new Uint8Array(states);
  const open = [...ends];
  for (const end of ends) reachesEnd[end] = 1;
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    for (let edge = start[state]!; edge < start[state + 1]!; edge++) {
      const source = sources[edge]!;
      if (reachesEnd[source]) continue;
      reachesEnd[source] = 1;
      open.push(source);
    }
  }
  const lost = reachesEnd.indexOf(0);
  return lost < 0 ? undefined : lost;
}

/** Walks the way again, since the search keeps numbers only and no words. */
function traceTo(
  mesh: Mesh,
  number: number,
  parents: number[],
  numberOf: (state: State) => number | undefined,
): string[] {
  const way: number[] = [];
  for (let state = number; state > 0; state = parents[state]!) way.unshift(state);
  let state = initialState(mesh.configuration);
  return way.map((next) => {
    const transition = transitionsFrom(mesh, state).find(({ to }) => numberOf(to) === next)!;
    state = transition.to;
    return transition.says;
  });
}
