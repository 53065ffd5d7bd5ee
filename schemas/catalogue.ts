import type { Static } from 'typebox';
import { callRows } from './call.ts';
import { meshRows } from './mesh.ts';
import { requestRows } from './request.ts';
import { routeRows } from './route.ts';
import type { Row } from './row.ts';
import { runRows } from './run.ts';
import { taskRows, taskTimerRows } from './task.ts';

/** Every row once. Subjects, permissions, JSON Schema, AsyncAPI and the docs' page follow from it. */
export const catalogue = [
  ...requestRows,
  ...taskRows,
  ...taskTimerRows,
  ...routeRows,
  ...runRows,
  ...callRows,
  ...meshRows,
] as const;

type Rows = (typeof catalogue)[number];
/** A message's short name, such as `task.accepted`. */
export type TypeName = Rows['type'];
/** Spelled out once, by name: looked up in this, a name that is a type parameter costs the compiler nothing. */
type Data = { [One in Rows as One['type']]: Static<One['data']> };
/** The data of a message, by its short name. */
export type DataOf<Name extends TypeName> = Data[Name];
/** The short names of the events of one journal. */
export type EventOf<Journal extends Row['journal']> = Extract<
  Rows,
  { kind: 'event'; journal: Journal }
>['type'];

const byType = new Map<string, Row>(catalogue.map((one) => [one.type, one]));

/** The row of a short name, or undefined when the contract has none. */
export function findRow(type: string): Row | undefined {
  return byType.get(type);
}

/** The row of a name that the compiler knows. */
export function rowOf(type: TypeName): Row {
  const found = byType.get(type);
  if (!found) throw new Error(`the contract has no row for ${type}`);
  return found;
}

/** `task.accepted` -> `dev.switchyard.task.accepted.v1`, the CloudEvents type. */
export function cloudEventType(one: Pick<Row, 'type' | 'version'>): string {
  return `dev.switchyard.${one.type}.v${one.version}`;
}

/** The row of a CloudEvents type, or why there is none. */
export function rowOfCloudEventType(type: string): Row | { problem: string } {
  const match = /^dev\.switchyard\.(.+)\.v(\d+)$/.exec(type);
  if (!match)
    return {
      problem: `type "${type}" is not one of ours: expected dev.switchyard.<entity>.<name>.v<version>`,
    };
  const found = byType.get(match[1]!);
  if (!found) return { problem: `unknown type "${type}"; the nearest is listed by docs/events.md` };
  if (found.version !== Number(match[2])) {
    return { problem: `unknown version v${match[2]} of ${found.type}; this mesh speaks v${found.version}` };
  }
  return found;
}
