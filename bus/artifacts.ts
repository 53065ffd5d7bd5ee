import { Objm, type ObjectStore } from '@nats-io/obj';
import { artifactsBucket } from '../schemas/permissions.ts';
import type { Artifacts } from '../schemas/service.ts';
import type { Bus } from './connect.ts';
import { PermanentError, RetryableError } from './errors.ts';

/** The largest object that is taken, in bytes. */
export const artifactLimitBytes = 64 * 1024 * 1024;
/** How long an object is kept: what a run needs to go on elsewhere is not for ever, and the disk is not either. */
const artifactLifeMs = 30 * 24 * 3600_000;
/** One acknowledgement, and under `durability: power` one write to the disk, for each piece. */
const pieceBytes = 512 * 1024;
/** A piece of an object comes within this time or not at all. */
const patienceMs = 10_000;

const megabytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

/** Makes the object store of a mesh where there is none. */
export async function ensureArtifacts(bus: Bus, namespace: string): Promise<void> {
  await new Objm(bus.jetstream).create(artifactsBucket(namespace), { ttl: artifactLifeMs * 1_000_000 });
}

/**
 * The object store of a mesh: bytes by a name that says what they must be (such as a commit's id), written once.
 * `put` throws PermanentError over `artifactLimitBytes` and RetryableError when the broker does not take it; `get`
 * throws RetryableError when an object stops half way or is not what its digest says.
 */
export function openArtifacts(bus: Bus, namespace: string): Artifacts {
  const bucket = artifactsBucket(namespace);
  let opened: Promise<ObjectStore> | undefined;
  const store = () => (opened ??= new Objm(bus.jetstream).open(bucket, false));

  /** Where the object stands: absent, there, or there but so old that it is put again before it goes. */
  async function find(name: string): Promise<{ revision: number; isFresh: boolean }> {
    const info = await (await store()).info(name);
    if (!info || info.deleted) return { revision: info?.revision ?? 0, isFresh: false };
    return { revision: info.revision, isFresh: Date.now() - Date.parse(info.mtime) < artifactLifeMs / 2 };
  }

  return {
    limitBytes: artifactLimitBytes,
    has: async (name) => (await find(name)).isFresh,
    async put(name, bytes) {
      if (bytes.byteLength > artifactLimitBytes) {
        throw new PermanentError([
          `${name} has ${megabytes(bytes.byteLength)}, and the object store takes up to ${megabytes(artifactLimitBytes)}`,
        ]);
      }
      const before = await find(name);
      if (before.isFresh) return { wasThere: true };
      try {
        const meta = { name, options: { max_chunk_size: pieceBytes } };
        // The revision is a fence: of two who put the same name one is first, and the other leaves it alone.
        await (await store()).putBlob(meta, bytes, { previousRevision: before.revision });
        return { wasThere: false };
      } catch (error) {
        if ((await find(name)).isFresh) return { wasThere: true };
        const why = error instanceof Error ? error.message : String(error);
        throw new RetryableError(
          `${name} (${megabytes(bytes.byteLength)}) could not be put into the object store: ${why}`,
          { cause: error },
        );
      }
    },
    async get(name) {
      const found = await (await store()).get(name);
      if (!found) return undefined;
      // It fails as the stream does, which is where it is reported.
      found.error.catch(() => {});
      const reader = found.data.getReader();
      const bytes = new Uint8Array(found.info.size);
      let filled = 0;
      try {
        for (;;) {
          const { done, value } = await withinPatience(reader.read());
          if (done) break;
          bytes.set(value, filled);
          filled += value.byteLength;
        }
        if (filled !== bytes.byteLength) throw new Error('it ended too early');
        return bytes;
      } catch (error) {
        void reader.cancel().catch(() => {});
        const why = error instanceof Error ? error.message : String(error);
        throw new RetryableError(
          `${name} (${megabytes(found.info.size)}) could not be read from the object store: ${why}`,
          { cause: error },
        );
      }
    },
  };
}

async function withinPatience<Result>(work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${patienceMs / 1000} s`)), patienceMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
