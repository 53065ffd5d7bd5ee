import { parse } from 'yaml';
import { textOf } from '../tree.ts';

/** What we look at of a service; the whole shape is held by the schema of the Compose Specification. */
export interface Service {
  image?: string;
  build?: { context: string; dockerfile: string; target?: string; args?: Record<string, string> };
  command?: string | string[];
  environment?: Record<string, string>;
  profiles?: string[];
  user?: string;
  init?: boolean;
  read_only?: boolean;
  privileged?: boolean;
  tmpfs?: string[];
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  restart?: string;
  ports?: string[];
  networks?: string[];
  network_mode?: string;
  volumes?: (string | { type: string; source: string; target: string; read_only?: boolean })[];
  secrets?: string[];
  configs?: { source: string; target: string }[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[]; interval: string; timeout: string; retries: number };
  cpus?: number | string;
  mem_limit?: string;
  pids_limit?: number;
  stop_grace_period?: string;
}

export interface ComposeFile {
  services: Record<string, Service>;
  networks: Record<string, { internal?: boolean }>;
  volumes: Record<string, unknown>;
  configs: Record<string, { file: string }>;
  secrets: Record<string, { file?: string; environment?: string; external?: boolean }>;
}

/** A compose file as compose reads it: anchors merged, `${NAME:-default}` filled in from these variables alone. */
export function readCompose(path: string, variables: Record<string, string> = {}): ComposeFile {
  const filled = textOf(path).replaceAll(
    /\$\{(\w+)(?::-([^}]*))?\}/g,
    (_, name: string, standard = '') => variables[name] || standard,
  );
  return parse(filled, { merge: true }) as ComposeFile;
}

/** The words of a command, as compose splits them; none of ours has quotes. */
export const wordsOf = (command: string | string[] = []): string[] =>
  Array.isArray(command) ? command : command.split(/\s+/).filter((word) => word !== '');

/** What a service mounts, each with where it comes from: a volume's name, or a path. */
export const mountsOf = (service: Service) =>
  (service.volumes ?? []).map((one) => {
    if (typeof one !== 'string') return { ...one };
    const [source, target] = one.split(':') as [string, string];
    return { type: /^[./]/.test(source) ? 'bind' : 'volume', source, target };
  });
