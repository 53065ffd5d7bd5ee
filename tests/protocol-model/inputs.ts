import type { Input, Role } from './state.ts';

/** The kinds of input, who takes each, and the journal that it is decided on. */
const kinds = {
  submit: { role: 'manager', journal: () => 'task' },
  cancel: { role: 'manager', journal: () => 'task' },
  pause: { role: 'manager', journal: () => 'task' },
  resume: { role: 'manager', journal: () => 'task' },
  /** A run's conclusion comes home. */
  conclusion: { role: 'manager', journal: () => 'task' },
  route: { role: 'router', journal: (run: string) => `route ${run}` },
  start: { role: 'coder', journal: (run: string) => `run ${run}` },
  stop: { role: 'coder', journal: (run: string) => `run ${run}` },
  /** A call's answer comes home. */
  answer: { role: 'coder', journal: (call: string) => `run ${runOf(call)}` },
  /** The timer of a call is due. */
  deadline: { role: 'coder', journal: (call: string) => `run ${runOf(call)}` },
  ask: { role: 'inference', journal: (call: string) => `call ${call}` },
} satisfies Record<string, { role: Role; journal: (about: string) => string }>;

export type Kind = keyof typeof kinds;

const partsOf = new Map<Input, { kind: Kind; about: string; role: Role; journal: string }>();

/** What an input is, whom or what it is about (a run or a call), who takes it, and on which journal. */
export function inputParts(input: Input): { kind: Kind; about: string; role: Role; journal: string } {
  const known = partsOf.get(input);
  if (known) return known;
  const [kind, about = ''] = input.split(' ') as [Kind, string?];
  const parts = { kind, about, role: kinds[kind].role, journal: kinds[kind].journal(about) };
  partsOf.set(input, parts);
  return parts;
}

/** Calls are named `<run>.<step>.<attempt>`, acts of tools `tool <run>.<step>`. */
export const callName = (run: string, step: number, attempt: number): string => `${run}.${step}.${attempt}`;
export const runOf = (call: string): string => call.split('.')[0]!;
export const stepOf = (callOrAct: string): number => Number(callOrAct.split('.')[1]);
export const attemptOfCall = (call: string): number => Number(call.split('.')[2]);
