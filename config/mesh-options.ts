import Type, { type Static } from 'typebox';

const address = (description: string) =>
  Type.String({
    pattern: '^([0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]*)$',
    accepts: 'an address of this machine, such as 192.0.2.10, or 0.0.0.0 for all of them',
    description,
  });

const port = (description: string) => Type.Integer({ minimum: 1, maximum: 65_535, description });

const name = (description: string, standard: string) =>
  Type.String({
    default: standard,
    pattern: '^[a-z][a-z0-9-]{0,39}$',
    accepts: 'a lower-case letter, then lower-case letters, digits and hyphens; at most 40',
    description,
  });

export const MeshOptions = Type.Object(
  {
    name: name('Name of the mesh; the `nats` context is named after it', 'switchyard'),
    namespace: name('First token of every subject; several meshes on one server need one each', 'yard'),
    url: Type.Optional(
      Type.String({
        pattern: '^(nats|tls|wss?)://[^@\\s]+$',
        accepts:
          'nats://HOST:PORT (or tls://, ws://, wss://) without a password in it; that belongs in mesh.credentials',
        mayBeSecret: true,
        description: 'A nats-server of your own with JetStream, 2.10 or newer; left out: `up` starts one',
      }),
    ),
    credentials: Type.Optional(
      Type.String({
        minLength: 1,
        isPath: true,
        description:
          'File with the user for `url`, as `{"user": "...", "password": "..."}`; readable by its owner only',
      }),
    ),
    port: Type.Optional(port('Port of the server that `up` starts; left out: a free one')),
    listen: Type.Optional(
      address(
        'Address on which the server that `up` starts listens; left out: loopback, which no other machine reaches. Anything else lets processes of other hosts join, and lets whoever reaches the port try passwords; see docs/deploy.md',
      ),
    ),
    tls: Type.Optional(
      Type.Object(
        {
          certificate: Type.String({
            minLength: 1,
            isPath: true,
            description:
              'File with the certificate (PEM, with those between it and its authority). It must name 127.0.0.1, and whatever other hosts call this machine',
          }),
          key: Type.String({ minLength: 1, isPath: true, description: 'File with its private key (PEM)' }),
        },
        {
          additionalProperties: false,
          description:
            'Encrypts all that is said to the server that `up` starts; without it, passwords, source code and replies of models travel as they are',
        },
      ),
    ),
    page: Type.Optional(
      Type.Object(
        {
          port: Type.Optional(port('Port of the page; left out: a free one')),
          socketPort: Type.Optional(
            port("Port on which the page's browser reaches the broker; left out: a free one"),
          ),
          listen: Type.Optional(
            address(
              'Address of both; left out: loopback. For a container, whose ports the host publishes on its own loopback: browsers are answered under http://127.0.0.1 alone',
            ),
          ),
        },
        { additionalProperties: false, description: 'Where `up` serves the page that shows the mesh' },
      ),
    ),
    durability: Type.Enum(['power', 'process'], {
      default: 'power',
      description:
        'What an accepted message survives: `power` a power cut (each write is synced), `process` only kill -9, and is faster',
    }),
    leaseMs: Type.Integer({
      default: 6000,
      minimum: 1000,
      maximum: 600_000,
      description: 'How long a silent process keeps its message before another takes it over',
    }),
    sweepMs: Type.Integer({
      default: 15_000,
      minimum: 1000,
      maximum: 3_600_000,
      description: 'How often each process looks for work that a lost message would have brought',
    }),
  },
  { additionalProperties: false, default: {}, description: 'The message broker and how work is handed over' },
);
export type MeshOptions = Static<typeof MeshOptions>;
