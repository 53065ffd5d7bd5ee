import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A connection of a process, as Linux tells it. */
export interface Connection {
  pid: number;
  /** Such as `127.0.0.1:4222`; IPv6 in full. */
  remote: string;
  isLoopback: boolean;
}

const listening = '0A';

/** The connections of these processes at this moment, also those that only begin to be made. */
export function connectionsOf(pids: readonly number[]): Connection[] {
  const sockets = new Map([...tableOf('tcp'), ...tableOf('tcp6'), ...tableOf('udp'), ...tableOf('udp6')]);
  return pids.flatMap((pid) =>
    inodesOf(pid).flatMap((inode) => {
      const address = sockets.get(inode);
      return address ? [{ pid, ...address }] : [];
    }),
  );
}

/** Remote addresses by the inode of their socket; what listens, or is not connected, has none. */
function tableOf(protocol: string): [string, Omit<Connection, 'pid'>][] {
  const lines = readFileSync(`/proc/net/${protocol}`, 'utf8').trim().split('\n').slice(1);
  return lines.flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const [remote, state, inode] = [words[2]!, words[3]!, words[9]!];
    const [hex, port] = remote.split(':') as [string, string];
    if (state === listening || /^0+$/.test(hex)) return [];
    const address = addressOf(hex);
    const isLoopback = address.startsWith('127.') || /^0000:.*:0001$/.test(address);
    return [[inode, { remote: `${address}:${Number.parseInt(port, 16)}`, isLoopback }]];
  });
}

/** The kernel writes words of four bytes, the lowest first. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).toReversed());
  const isMapped =
    bytes.length === 16 && bytes.slice(0, 12).join('') === '00000000000000000000ffff'.toUpperCase();
  if (bytes.length === 4 || isMapped)
    return bytes
      .slice(-4)
      .map((byte) => Number.parseInt(byte, 16))
      .join('.');
  return bytes.join('').match(/.{4}/g)!.join(':');
}

function inodesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1] ?? [];
      } catch {
        return [];
      }
    });
  } catch {
    // It ended meanwhile.
    return [];
  }
}
