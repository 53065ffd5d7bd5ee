import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How long a link may wait until somebody opens it. */
export const linkLifeMs = 60 * 60 * 1000;

const nonceBytes = 12;
const dateBytes = 6;
const sealBytes = 24;

const sealOf = (secret: string, body: Uint8Array) =>
  createHmac('sha256', secret).update('switchyard page link\n').update(body).digest().subarray(0, sealBytes);

/**
 * The credential of a link to the page: for one exchange, within the hour. Whoever has the secret makes one without
 * asking anybody; the secret itself is never handed out.
 */
export function makeToken(secret: string, nowMs: number): string {
  const body = Buffer.alloc(dateBytes + nonceBytes);
  body.writeUIntBE(nowMs + linkLifeMs, 0, dateBytes);
  randomBytes(nonceBytes).copy(body, dateBytes);
  return Buffer.concat([body, sealOf(secret, body)]).toString('base64url');
}

/** What a token says, or undefined where it is none, or is too old. `name` tells it from every other. */
export function readToken(
  secret: string,
  token: string,
  nowMs: number,
): { name: string; untilMs: number } | undefined {
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length !== dateBytes + nonceBytes + sealBytes || bytes.toString('base64url') !== token)
    return undefined;
  const body = bytes.subarray(0, dateBytes + nonceBytes);
  if (!timingSafeEqual(bytes.subarray(body.length), sealOf(secret, body))) return undefined;
  const untilMs = body.readUIntBE(0, dateBytes);
  if (untilMs <= nowMs) return undefined;
  return { name: body.subarray(dateBytes).toString('base64url'), untilMs };
}

/** The link that opens the page. What follows the `#` stays in the browser. */
export const linkTo = (port: number, token: string) => `http://127.0.0.1:${port}/#token=${token}`;
