/** Why a message cannot be read, said to whoever sent it. */
export class Unreadable extends Error {}

/** The text of bytes that are UTF-8; a byte order mark is left out. */
export function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new Unreadable('the body is not UTF-8 text');
  }
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Unreadable(`the body is not JSON: ${(error as Error).message}`);
  }
}

/** The JSON object that a body is; a list of events is refused by name, for the NATS binding has no batches. */
export function objectOf(body: Uint8Array): Record<string, unknown> {
  if (body.length === 0) throw new Unreadable('the body is empty: a JSON object is expected');
  const value = jsonOf(textOf(body));
  if (Array.isArray(value)) {
    throw new Unreadable(
      'the body is a JSON array: batches are not accepted, publish one message for each event',
    );
  }
  if (typeof value !== 'object' || value === null) {
    throw new Unreadable(
      `the body must be a JSON object, not ${value === null ? 'null' : `a ${typeof value}`}`,
    );
  }
  return value as Record<string, unknown>;
}

/** `Application/JSON; charset=UTF-8` -> `application/json` and `utf-8`. */
export function mediaTypeOf(value: string): { type: string; charset?: string } {
  const [type, ...parameters] = value.toLowerCase().split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  return {
    type: type!.trim(),
    ...(charset ? { charset: charset.slice('charset='.length).replaceAll('"', '') } : {}),
  };
}

/** Says why a media type cannot be read as JSON in UTF-8, or nothing; `name` is where it was given. */
export function jsonProblem(name: string, value: string): string | undefined {
  const { type, charset } = mediaTypeOf(value);
  if (!/^[^/]+\/(json|[^/]+\+json)$/.test(type)) return `${name}: only JSON is understood, not ${type}`;
  if (charset && charset !== 'utf-8' && charset !== 'us-ascii')
    return `${name}: only UTF-8 is understood, not ${charset}`;
  return undefined;
}
