import type { PageSession } from '../../query.ts';

/** Nobody is let in with this; only a new link helps. */
export class RefusedError extends Error {}

/** Changes the link's token, or the cookie of an earlier visit, for a password to the broker's WebSocket. */
export async function askSession(token: string | undefined, signal: AbortSignal): Promise<PageSession> {
  const answer = await fetch('/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(token ? { token } : {}),
    credentials: 'same-origin',
    signal,
  });
  if (answer.status === 401 || answer.status === 403 || answer.status === 404)
    throw new RefusedError('this page was opened without a link that still holds');
  if (!answer.ok) throw new Error(`the page's server answers ${answer.status}`);
  return (await answer.json()) as PageSession;
}
