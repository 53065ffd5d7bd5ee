/** True where the broker says that what was asked for is not there; a batch past the end of a stream is told so too. */
export function isNotFound(error: unknown): boolean {
  return error instanceof Error && /not found|no messages/i.test(error.message);
}

/** For `catch`: what is not there is null. Throws every other error again. */
export function notFoundIsNull(error: unknown): null {
  if (isNotFound(error)) return null;
  throw error;
}
