import { Unreadable } from './json-body.ts';

/**
 * Percent-decodes a header's value once. Characters that need not have been encoded, and others that should have been,
 * are taken as they are. Throws Unreadable when the bytes are not UTF-8.
 */
export function decodeHeaderText(name: string, value: string): string {
  if (/%(?![0-9a-f]{2})/i.test(value))
    throw new Unreadable(`${name}: a % must be followed by two hexadecimal digits`);
  try {
    return decodeURIComponent(value);
  } catch {
    throw new Unreadable(`${name}: its percent-encoded bytes are not UTF-8`);
  }
}

/** Percent-encodes space, `"`, `%` and all that is outside U+0021 to U+007E, as UTF-8. */
export function encodeHeaderText(value: string): string {
  return value.replaceAll(/[^\u0021-\u007e]|["%]/gu, encodeURIComponent);
}
