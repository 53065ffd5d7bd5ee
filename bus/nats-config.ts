/** Who may connect, and what they may say and hear. Subjects may hold the wildcards `*` and `>`. */
export type ServerUser = {
  name: string;
  password: string;
  publish: string[];
  subscribe: string[];
  /** Whether a reply may be published to the reply subject of any message received. */
  allowResponses?: boolean;
};

/** Who shows what happens in a browser: accounts over WebSocket that read, and can do nothing else. */
export type BrowserAccess = {
  /** Where the pages come from, exactly as browsers say it: `http://127.0.0.1:4200`. */
  origins: string[];
  /** Subjects of the mesh that they may hear. */
  hears: string[];
  /** Subjects of services of the mesh that they may ask. */
  asks: string[];
  users: { name: string; password: string }[];
};

/** What a server is configured with; ports are numbers, 0 for one that the system chooses. */
export type ServerSettings = {
  name: string;
  /** `power`: every acknowledged message survives a power cut (one fsync each). `process`: survives kill -9. */
  durability: 'power' | 'process';
  storeDirectory: string;
  /** The server writes `<program>_<pid>.ports` here once it listens. */
  portsDirectory: string;
  /** How many bytes all streams together may hold. */
  maxStoreBytes: number;
  /** The address that the mesh's port is on; loopback where it is left out. */
  listen?: string;
  /** Files of a certificate and its key: from here on nothing is said unencrypted on the mesh's port. */
  tls?: { certificate: string; key: string };
  port: number;
  websocketPort?: number;
  /** The address that the WebSocket is on; loopback where it is left out. */
  websocketListen?: string;
  monitoringPort?: number;
  users: ServerUser[];
  browsers?: BrowserAccess;
};

/** The mesh's account. Browsers have another: what is not exported to it does not exist for them. */
export const MESH_ACCOUNT = 'MESH';
const BROWSER_ACCOUNT = 'DASH';

/** No message may be larger. An event that is, is given up with the reason; commits travel through the object store. */
const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;

const LOOPBACK = '127.0.0.1';

/**
 * The text of a nats-server configuration file: loopback only unless `listen` says otherwise, JetStream on for the mesh's account, whose users are
 * listed; browsers in an account of their own.
 * (Its format is a superset of JSON.) It holds passwords: write it for the owner only.
 * Throws a RangeError without users, since such a server would let everybody in.
 */
export function serverConfig(settings: ServerSettings): string {
  const { name, durability, storeDirectory, portsDirectory, maxStoreBytes, users } = settings;
  if (users.length === 0)
    throw new RangeError('a server without users would accept every connection: name at least one');
  const config = {
    server_name: name,
    host: settings.listen ?? LOOPBACK,
    port: chosen(settings.port),
    tls: settings.tls && { cert_file: settings.tls.certificate, key_file: settings.tls.key },
    ports_file_dir: portsDirectory,
    max_payload: MAX_PAYLOAD_BYTES,
    jetstream: {
      store_dir: storeDirectory,
      max_file_store: maxStoreBytes,
      // Left out, the server syncs every two minutes.
      sync_interval: durability === 'power' ? 'always' : undefined,
    },
    websocket:
      settings.websocketPort === undefined
        ? undefined
        : {
            host: settings.websocketListen ?? LOOPBACK,
            port: chosen(settings.websocketPort),
            no_tls: true,
            allowed_origins: settings.browsers?.origins,
          },
    http:
      settings.monitoringPort === undefined ? undefined : `${LOOPBACK}:${chosen(settings.monitoringPort)}`,
    accounts: accountsOf(users, settings.browsers),
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function accountsOf(users: ServerUser[], browsers: BrowserAccess | undefined) {
  const mesh = { jetstream: true, users: users.map(userEntry) };
  if (browsers === undefined) return { [MESH_ACCOUNT]: mesh };
  const { hears, asks } = browsers;
  return {
    [MESH_ACCOUNT]: {
      ...mesh,
      exports: [
        ...hears.map((stream) => ({ stream, accounts: [BROWSER_ACCOUNT] })),
        ...asks.map((service) => ({ service, accounts: [BROWSER_ACCOUNT] })),
      ],
    },
    [BROWSER_ACCOUNT]: {
      imports: [
        ...hears.map((subject) => ({ stream: { account: MESH_ACCOUNT, subject } })),
        ...asks.map((subject) => ({ service: { account: MESH_ACCOUNT, subject } })),
      ],
      users: browsers.users.map(({ name, password }) => ({
        user: name,
        password,
        allowed_connection_types: ['WEBSOCKET'],
        permissions: { publish: only(asks), subscribe: only([...hears, '_INBOX.>']) },
      })),
    },
  };
}

function userEntry({ name, password, publish, subscribe, allowResponses }: ServerUser) {
  return {
    user: name,
    password,
    permissions: {
      publish: only(publish),
      subscribe: only(subscribe),
      allow_responses: allowResponses ? true : undefined,
    },
  };
}

/** An empty list of allowed subjects would mean "no restriction" to the server. */
function only(subjects: string[]) {
  return subjects.length > 0 ? { allow: subjects } : { deny: ['>'] };
}

/** nats-server's word for "a port that the system chooses" is -1. */
function chosen(port: number): number {
  return port === 0 ? -1 : port;
}
