/** Where two JSON values differ: the path, what is stored, what came out now. */
export interface Difference {
  path: string;
  stored: unknown;
  decided: unknown;
}

/** Every place at which two values differ once they are written as JSON; empty = equal. Objects compare without order. */
export function differencesOf(stored: unknown, decided: unknown, path = ''): Difference[] {
  return compare(asJson(stored), asJson(decided), path);
}

function compare(stored: unknown, decided: unknown, path: string): Difference[] {
  if (Object.is(stored, decided)) return [];
  if (isList(stored) && isList(decided)) {
    const length = Math.max(stored.length, decided.length);
    return Array.from({ length }, (_, index) =>
      compare(stored[index], decided[index], `${path}[${index}]`),
    ).flat();
  }
  if (isObject(stored) && isObject(decided)) {
    const names = [...new Set([...Object.keys(stored), ...Object.keys(decided)])];
    return names.flatMap((name) =>
      compare(stored[name], decided[name], path === '' ? name : `${path}.${name}`),
    );
  }
  return [{ path: path === '' ? '(whole)' : path, stored, decided }];
}

const asJson = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value));
const isList = (value: unknown): value is unknown[] => Array.isArray(value);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
