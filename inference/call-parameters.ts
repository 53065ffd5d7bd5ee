import type { ModelRequest } from './backend.ts';

/** What a role prefers of a reply, as `roles` in `switchyard.yaml` gives it. */
export type RoleParameters = Pick<ModelRequest, (typeof names)[number]>;

/** The parameters that travel from a role's preferences to a backend: one more is one name more. */
const names = ['temperature', 'topP'] as const satisfies readonly (keyof ModelRequest)[];

/** The parameters of a role's preferences, without those that it leaves to the provider. */
export function parametersOf(preference: { [name: string]: unknown }): RoleParameters {
  return Object.fromEntries(
    names.flatMap((name) => (preference[name] === undefined ? [] : [[name, preference[name]]])),
  ) as RoleParameters;
}
