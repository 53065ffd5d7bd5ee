import { existsSync, lstatSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { isProgram } from './is-program.ts';
import { startProgram } from './process.ts';
import type { Sandbox } from './tool.ts';

/** What a program may reach inside the sandbox. All paths are absolute and real. */
export interface SandboxView {
  /** The only directory that can be written, beside the throw-away /tmp and home. */
  directory: string;
  /** Files and directories shown read-only, beside the system's own. */
  readOnly: string[];
  /** Only the operator's setup command gets the network. */
  network: boolean;
}

/** The home that programs see; empty, and gone when they end. */
const sandboxHome = '/home/switchyard';
const systemPath = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin'];

/** What programs commonly need of /etc: names, linker, time, certificates. No shadow, no private keys. */
const shownOfEtc = [
  'alternatives ld.so.cache ld.so.conf ld.so.conf.d passwd group nsswitch.conf hosts host.conf',
  'localtime timezone os-release debian_version mime.types magic protocols services',
  'ssl/certs ssl/openssl.cnf pki/tls/certs pki/ca-trust ca-certificates crypto-policies',
  'java-17-openjdk java-21-openjdk python3 perl',
].flatMap((line) => line.split(' '));

/** Says so only in a sandbox: its own home, and no network interface but its own loopback (after two lines of heading). */
const heldOnly = `test "$HOME" = ${sandboxHome} && test $(wc -l </proc/net/dev) -le 3 && echo held`;

/** Variables of ours that the operator's setup command needs to reach a registry through the network. */
const networkVariables = [
  'HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy',
  'SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS REQUESTS_CA_BUNDLE CURL_CA_BUNDLE PIP_CERT',
].flatMap((line) => line.split(' '));

/**
 * Looks for bubblewrap: at `explicit` if given, else as `bwrap` along `path` (as in the variable PATH). Starts nothing.
 */
export function findBubblewrap(where: { explicit?: string | undefined; path?: string | undefined }): {
  bwrap: string | undefined;
  why: string;
} {
  if (where.explicit !== undefined) {
    if (isAbsolute(where.explicit) && isProgram(where.explicit))
      return { bwrap: where.explicit, why: 'as configured' };
    return {
      bwrap: undefined,
      why: `${where.explicit}, named as bubblewrap, is not an absolute path to a program`,
    };
  }
  const found = (where.path ?? '')
    .split(delimiter)
    .filter(isAbsolute)
    .map((directory) => join(directory, 'bwrap'))
    .find(isProgram);
  if (found !== undefined) return { bwrap: found, why: 'found on the PATH' };
  return {
    bwrap: undefined,
    why: 'there is no bwrap on the PATH',
  };
}

/** Really starts a sandbox, and says at which level programs can be held here, and why not better. */
export async function probeSandbox(bwrap: string | undefined): Promise<Sandbox> {
  if (process.platform !== 'linux') return { level: 'none', why: 'bubblewrap needs Linux' };
  if (bwrap === undefined)
    return { level: 'none', why: 'bubblewrap was not found', mend: 'sudo apt-get install bubblewrap' };
  const view: SandboxView = { directory: realpathSync('/usr'), readOnly: [], network: false };
  // /usr stands in for a worktree here, but read-only: the probe must not be able to write to it.
  const flags = sandboxArguments(view).map((word) => (word === '--bind' ? '--ro-bind' : word));
  try {
    const probe = await startProgram({
      argv: [bwrap, ...flags, '/bin/sh', '-c', heldOnly],
      environment: {},
      timeoutMs: 10_000,
      outputBytes: 2000,
    });
    const output = probe.output.trim();
    if (probe.exitCode === 0 && output === 'held') return { level: 'bubblewrap', bwrap };
    const why = `${bwrap} did not start a sandbox${output === '' ? '' : `: ${output}`}`;
    return { level: 'none', why, mend: sandboxMend(output, thisSystem()) };
  } catch (error) {
    return { level: 'none', why: `${bwrap} could not be started: ${(error as Error).message}` };
  }
}

/** What may forbid a user to make namespaces. */
interface System {
  isContainer: boolean;
  /** Settings of the kernel, where it has them. */
  setting(name: string): string | undefined;
}

function thisSystem(): System {
  return {
    isContainer: ['/.dockerenv', '/run/.containerenv'].some((file) => existsSync(file)),
    setting(name) {
      const file = `/proc/sys/${name.replaceAll('.', '/')}`;
      try {
        return readFileSync(file, 'utf8').trim();
      } catch {
        return undefined;
      }
    },
  };
}

/** What lets bubblewrap work where the system forbids it, to be typed; undefined where its words are about something else. */
export function sandboxMend(output: string, { isContainer, setting }: System): string | undefined {
  if (!/namespace|uid map|permi/i.test(output)) return undefined;
  if (isContainer)
    return `start the container with ${['seccomp', 'apparmor', 'systempaths'].map((one) => `--security-opt ${one}=unconfined`).join(' ')}`;
  const forbidding = [
    ['kernel.apparmor_restrict_unprivileged_userns', '1', '0'],
    ['kernel.unprivileged_userns_clone', '0', '1'],
    ['user.max_user_namespaces', '0', '15000'],
  ].find(([name, value]) => setting(name!) === value);
  return forbidding
    ? `sudo sysctl -w ${forbidding[0]}=${forbidding[2]}`
    : 'let your user make namespaces, which this system forbids';
}

/** The arguments of bubblewrap up to the program's own. */
export function sandboxArguments(view: SandboxView): string[] {
  const flags = ['--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv'];
  if (view.network) flags.push('--share-net');
  const show = (path: string, at = path): number => flags.push('--ro-bind-try', path, at);

  show('/usr');
  for (const directory of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    // Merged systems have links here; a link is made again rather than followed.
    const link = lstatSync(directory, { throwIfNoEntry: false })?.isSymbolicLink();
    if (link) flags.push('--symlink', readlinkSync(directory), directory);
    else show(directory);
  }
  for (const name of shownOfEtc) show(`/etc/${name}`);
  flags.push(
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--tmpfs',
    '/tmp',
    '--tmpfs',
    '/var/tmp',
    '--tmpfs',
    sandboxHome,
  );
  // Kernel settings belong to the user root, and where we run as root the program is that user, if without powers:
  // bubblewrap leaves the files under /proc/sys writable, so they are covered here.
  flags.push('--ro-bind', '/proc/sys', '/proc/sys');
  if (view.network) {
    // Often a link to where a resolver keeps it.
    if (existsSync('/etc/resolv.conf')) show(realpathSync('/etc/resolv.conf'), '/etc/resolv.conf');
    for (const name of ['gai.conf', 'npmrc', 'pip.conf']) show(`/etc/${name}`);
    for (const path of networkFiles()) show(path);
  }
  for (const path of [...nodeDirectories(), ...view.readOnly]) show(path);
  flags.push('--bind', view.directory, view.directory);
  // Git's own file or directory of the worktree, on top of the writable one.
  show(join(view.directory, '.git'));
  flags.push('--chdir', view.directory);
  for (const [name, value] of Object.entries(programEnvironment(sandboxHome, view.network))) {
    flags.push('--setenv', name, value);
  }
  return flags;
}

/** All that a program's environment holds: nothing of ours but, for the setup command, the way to the network. */
export function programEnvironment(home: string, network: boolean): Record<string, string> {
  const environment: Record<string, string> = {
    PATH: programPath().join(delimiter),
    HOME: home,
    LANG: 'C.UTF-8',
    TERM: 'dumb',
    CI: '1',
    NO_COLOR: '1',
  };
  if (!network) return environment;
  for (const name of networkVariables) {
    const value = process.env[name];
    if (value) environment[name] = value;
  }
  // The node that runs us may be another than the one npm was set up for, and npm finds its settings by node's place.
  const npmSettings = ['/usr/etc/npmrc', '/usr/local/etc/npmrc', '/etc/npmrc'].find((path) =>
    existsSync(path),
  );
  if (npmSettings !== undefined) environment['npm_config_globalconfig'] = npmSettings;
  return environment;
}

/** Where programs are looked for: the node that runs us first, so that `npm test` and `node --test` use it. */
export function programPath(): string[] {
  return [...new Set([...nodeDirectories().filter((path) => path.endsWith('/bin')), ...systemPath])];
}

/** The directory of the running node and, if npm is installed elsewhere than in the system, npm's. */
function nodeDirectories(): string[] {
  const directories = [dirname(realpathSync(process.execPath))];
  for (const directory of (process.env['PATH'] ?? '').split(delimiter).filter(isAbsolute)) {
    const npm = join(directory, 'npm');
    if (!existsSync(npm)) continue;
    const isOfTheSystem = ['/usr/', '/bin/'].some((start) => npm.startsWith(start));
    // A version manager keeps bin/npm and lib/node_modules/npm under one prefix.
    if (!isOfTheSystem) directories.push(directory, join(dirname(directory), 'lib/node_modules/npm'));
    break;
  }
  return directories.filter((directory) => existsSync(directory) && !directory.startsWith('/usr/'));
}

function networkFiles(): string[] {
  return ['SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS', 'REQUESTS_CA_BUNDLE', 'PIP_CERT']
    .map((name) => process.env[name])
    .filter((path): path is string => path !== undefined && isAbsolute(path) && existsSync(path));
}
