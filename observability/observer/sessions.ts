import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readToken } from '../../config/page-link.ts';
import { writePrivateFile } from '../../config/private-file.ts';

/** A browser that was let in. Its password works as long as the session does, and only over the broker's WebSocket. */
export interface Session {
  user: string;
  password: string;
  expiresAtMs: number;
}

interface Kept extends Session {
  /** Of the cookie, so that the file alone opens no session. */
  cookieHash: string;
  passwordAtMs: number;
}

interface Store {
  sessions: Kept[];
  /** Links that were used, until they would be too old anyhow. */
  used: Record<string, number>;
}

export interface Sessions {
  /** Lets a browser in for a link's token; undefined where it is none, was used, or is too old. */
  exchange(token: string): Promise<{ cookie: string; session: Session } | undefined>;
  /** The session of a browser that was let in before; undefined where it is over. */
  resume(cookie: string): Promise<Session | undefined>;
  end(cookie: string): Promise<void>;
  /** Lets in again whom the file names: for a broker that was started anew. */
  restore(): Promise<void>;
  /** Ends what is over. */
  sweep(): Promise<void>;
}

export const sessionLifeMs = 12 * 60 * 60 * 1000;
/** A browser that comes back later than this gets another password. */
export const passwordLifeMs = 60 * 60 * 1000;
/** A browser more than these is let in in place of the oldest. */
const mostSessions = 20;

const secret = () => randomBytes(32).toString('base64url');
const hashOf = (cookie: string) => createHash('sha256').update(cookie).digest('base64url');

export interface SessionsOptions {
  file: string;
  linkSecret: string;
  nowMs: () => number;
  /** From here on the broker lets in these users, and no others. */
  letIn(users: { name: string; password: string }[]): Promise<void>;
}

/** Who was let in, in a file, so that a restart asks nobody for another link and takes no link twice. */
export function openSessions({ file, linkSecret, nowMs, letIn }: SessionsOptions): Sessions {
  let store = readStore(file);
  let last: Promise<unknown> = Promise.resolve();

  /** One change at a time: first the file, so that a link which was used stays used, then the broker. */
  function change<Result>(make: () => { next: Store; result: Result }): Promise<Result> {
    const mine = last
      .catch(() => {})
      .then(async () => {
        const { next, result } = make();
        if (next === store) return result;
        const before = usersOf(store);
        store = next;
        writePrivateFile(file, `${JSON.stringify(store)}\n`);
        const users = usersOf(store);
        if (JSON.stringify(users) !== JSON.stringify(before)) await letIn(users);
        return result;
      });
    last = mine;
    return mine;
  }

  const current = (): Store => {
    const now = nowMs();
    const sessions = store.sessions.filter((one) => one.expiresAtMs > now);
    const used = Object.fromEntries(Object.entries(store.used).filter(([, untilMs]) => untilMs > now));
    const isSame =
      sessions.length === store.sessions.length &&
      Object.keys(used).length === Object.keys(store.used).length;
    return isSame ? store : { sessions, used };
  };

  return {
    exchange: (token) =>
      change(() => {
        const now = nowMs();
        const kept = current();
        const read = readToken(linkSecret, token, now);
        if (!read || kept.used[read.name] !== undefined) return { next: kept, result: undefined };
        const cookie = secret();
        const session: Kept = {
          user: `page-${randomBytes(6).toString('hex')}`,
          password: secret(),
          expiresAtMs: now + sessionLifeMs,
          cookieHash: hashOf(cookie),
          passwordAtMs: now,
        };
        return {
          next: {
            sessions: [...kept.sessions, session].slice(-mostSessions),
            used: { ...kept.used, [read.name]: read.untilMs },
          },
          result: { cookie, session: shown(session) },
        };
      }),
    resume: (cookie) =>
      change(() => {
        const kept = current();
        const hash = hashOf(cookie);
        const found = kept.sessions.find((one) => one.cookieHash === hash);
        if (!found) return { next: kept, result: undefined };
        if (nowMs() - found.passwordAtMs < passwordLifeMs) return { next: kept, result: shown(found) };
        const fresh = { ...found, password: secret(), passwordAtMs: nowMs() };
        const sessions = kept.sessions.map((one) => (one === found ? fresh : one));
        return { next: { ...kept, sessions }, result: shown(fresh) };
      }),
    end: (cookie) =>
      change(() => {
        const kept = current();
        const hash = hashOf(cookie);
        const sessions = kept.sessions.filter((one) => one.cookieHash !== hash);
        return { next: { ...kept, sessions }, result: undefined };
      }),
    async restore() {
      await change(() => ({ next: current(), result: undefined }));
      await letIn(usersOf(store));
    },
    sweep: () => change(() => ({ next: current(), result: undefined })),
  };
}

const shown = ({ user, password, expiresAtMs }: Kept): Session => ({ user, password, expiresAtMs });
const usersOf = (store: Store) => store.sessions.map(({ user, password }) => ({ name: user, password }));

function readStore(file: string): Store {
  try {
    const { sessions, used } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Store>;
    if (Array.isArray(sessions) && typeof used === 'object') return { sessions, used };
  } catch {
    // There is none, or it is damaged: everybody asks for another link.
  }
  return { sessions: [], used: {} };
}
