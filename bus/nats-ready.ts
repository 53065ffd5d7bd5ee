import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

/** A port that a server listens on. */
export type ListeningPort = { name: 'nats' | 'websocket' | 'monitoring'; port: number };

/** What a server says of itself to whoever connects. */
export type ServerInfo = { version: string; jetstream?: boolean; server_name: string };

/**
 * Every port that the server with this pid listens on, as it wrote them to its ports file;
 * undefined while it has not written them.
 */
export async function readPortsFile(folder: string, pid: number): Promise<ListeningPort[] | undefined> {
  const file = (await readdir(folder)).find((name) => name.endsWith(`_${pid}.ports`));
  if (file === undefined) return undefined;
  try {
    const lists = JSON.parse(await readFile(join(folder, file), 'utf8')) as Record<string, string[]>;
    const ports: ListeningPort[] = [];
    for (const name of ['nats', 'websocket', 'monitoring'] as const) {
      for (const url of lists[name] ?? []) ports.push({ name, port: Number(new URL(url).port) });
    }
    return ports.length > 0 ? ports : undefined;
  } catch {
    // Half written: the next look finds it whole.
    return undefined;
  }
}

/** Connects to a port of this machine, on loopback unless told otherwise, and returns the greeting; undefined when nothing greets within a second. */
export function readGreeting(port: number, host = '127.0.0.1'): Promise<ServerInfo | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 });
    let text = '';
    const finish = (info?: ServerInfo) => {
      socket.destroy();
      resolve(info);
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
      if (!text.includes('\r\n')) return;
      const json = /^INFO (\{.*\})/.exec(text)?.[1];
      finish(json === undefined ? undefined : (JSON.parse(json) as ServerInfo));
    });
    socket.on('error', () => finish());
    socket.on('timeout', () => finish());
    socket.on('end', () => finish());
  });
}
