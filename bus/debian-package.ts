import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDownloadFolder } from './download-folder.ts';
import { requireOnPath, runProgram } from './program.ts';
import { withoutPassword } from './without-password.ts';

/** What fetching a package needs; `say` gets one line before each download: what, how large, from where. */
export type DebianPackageRequest = {
  /** Name of the binary package, such as `bubblewrap`. */
  package: string;
  /** A suite of the archive; without it the suite that this machine runs (its libraries fit). */
  suite?: string;
  cacheDirectory: string;
  /** A PATH variable, where apt-get and dpkg-deb are looked for. */
  path?: string;
  say: (line: string) => void;
};

/**
 * The folder with the extracted files of a Debian package, fetched without root: apt's own tools with a
 * private state folder, the mirror that this machine's apt is configured for, signatures checked against
 * the machine's Debian keyring. Found in the cache the second time. Nothing is installed and no maintainer
 * script runs. Safe to call from several processes at once.
 * Throws an Error with the reason where this machine has no Debian tools, keyring, mirror or network.
 */
export async function fetchDebianPackage(request: DebianPackageRequest): Promise<string> {
  const suite = request.suite ?? (await machineSuite());
  const shelf = join(request.cacheDirectory, 'debian', suite, request.package);
  const cached = (await readdir(shelf).catch(() => [])).at(-1);
  if (cached !== undefined) return join(shelf, cached);

  const temporary = await makeDownloadFolder(request.cacheDirectory);
  try {
    const extracted = join(temporary, 'files');
    const version = await extractDebianPackage({ ...request, suite, temporary, into: extracted });
    const home = join(shelf, version.replaceAll(/[^\w.+~-]/g, '_'));
    await mkdir(shelf, { recursive: true });
    await rename(extracted, home).catch(async (failure: unknown) => {
      // Somebody else was quicker: theirs passed the same check.
      if (!(await stat(home).catch(() => undefined))) throw failure;
    });
    return home;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/**
 * Downloads a package and extracts it into the folder `into` (created), working in `temporary`;
 * returns the package's version. Throws an Error with the reason, as `fetchDebianPackage` does.
 */
export async function extractDebianPackage(
  request: Omit<DebianPackageRequest, 'cacheDirectory'> & { suite: string; temporary: string; into: string },
): Promise<string> {
  const path = request.path ?? process.env['PATH'] ?? '';
  const aptGet = await requireOnPath('apt-get', path);
  const dpkg = await requireOnPath('dpkg', path);
  const dpkgDeb = await requireOnPath('dpkg-deb', path);
  const keyring = await machineKeyring();
  const architecture = (await runProgram(dpkg, ['--print-architecture'], { timeoutMs: 5_000 })).trim();
  const mirrors = await machineMirrors(aptGet);
  const reasons: string[] = [];
  for (const mirror of mirrors) {
    const source = `deb [arch=${architecture} target=Packages signed-by=${keyring}] ${mirror} ${request.suite} main`;
    try {
      const file = await download({ ...request, aptGet, source, mirror });
      await mkdir(request.into, { recursive: true });
      await runProgram(dpkgDeb, ['-x', file, request.into], { timeoutMs: 60_000 });
      return await runProgram(dpkgDeb, ['-f', file, 'Version'], { timeoutMs: 5_000 }).then((text) =>
        text.trim(),
      );
    } catch (failure) {
      reasons.push(
        `${withoutPassword(mirror)}: ${failure instanceof Error ? failure.message : String(failure)}`,
      );
    }
  }
  throw new Error(reasons.join('; ') || "this machine's apt configuration names no Debian mirror");
}

type Download = {
  package: string;
  suite: string;
  temporary: string;
  say: (line: string) => void;
  aptGet: string;
  source: string;
  mirror: string;
};

async function download({
  package: name,
  suite,
  temporary,
  say,
  aptGet,
  source,
  mirror,
}: Download): Promise<string> {
  const settings = join(temporary, 'apt.conf');
  await mkdir(join(temporary, 'lists', 'partial'), { recursive: true });
  await writeFile(join(temporary, 'sources.list'), `${source}\n`);
  await writeFile(join(temporary, 'status'), '');
  await writeFile(settings, privateSettings(temporary));
  // `-c` is read after the machine's own configuration, so that proxies and certificates stay in force.
  const apt = (...args: string[]) =>
    runProgram(aptGet, ['-c', settings, '-q', ...args], {
      timeoutMs: 120_000,
      cwd: temporary,
      environment: { ...process.env, LC_ALL: 'C' },
    });

  say(`Downloading Debian's package index (${suite}, about 11 MB) from ${withoutPassword(mirror)}`);
  await apt('update');
  const offer = await apt('--print-uris', 'download', name);
  const [, url = '', file = '', bytes = '0'] = /^'([^']+)' (\S+) (\d+) /m.exec(offer) ?? [];
  if (!file) throw new Error(`no package ${name} in ${suite}`);
  say(`Downloading ${file} (${megabytes(Number(bytes))}) from ${withoutPassword(url)}`);
  await apt('download', name);
  return join(temporary, file);
}

/** apt's settings for a state folder of our own: no root, no hooks, no pins, only our source. */
function privateSettings(folder: string): string {
  const settings: Record<string, string> = {
    'Dir::State': folder,
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': folder,
    // What is read out of the index serves all three commands; machines made for containers keep none.
    'Dir::Cache::pkgcache': 'pkgcache.bin',
    'Dir::Cache::srcpkgcache': '',
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    // As root, apt would hand downloads to a user who cannot enter our folder.
    'APT::Sandbox::User': 'root',
    'APT::Get::AllowUnauthenticated': 'false',
    'Acquire::AllowInsecureRepositories': 'false',
    // Otherwise a mirror that cannot be reached is only a warning.
    'APT::Update::Error-Mode': 'any',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '1',
    'Acquire::http::Timeout': '8',
    'Acquire::https::Timeout': '8',
  };
  // The machine's hooks are meant for its own lists and would run on ours.
  const cleared = ['APT::Update::Pre-Invoke', 'APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success'];
  return [
    ...cleared.map((hook) => `#clear ${hook};`),
    ...Object.entries(settings).map(([key, value]) => `${key} "${value}";`),
    '',
  ].join('\n');
}

async function machineSuite(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const isDebian = /^ID=["']?debian["']?$/m.test(release);
  const codename = /^VERSION_CODENAME=["']?([a-z]+)["']?$/m.exec(release)?.[1];
  if (!isDebian || !codename) throw new Error('this machine does not run a released Debian');
  return codename;
}

async function machineKeyring(): Promise<string> {
  for (const ending of ['gpg', 'pgp']) {
    const keyring = `/usr/share/keyrings/debian-archive-keyring.${ending}`;
    if (await stat(keyring).catch(() => undefined)) return keyring;
  }
  throw new Error('this machine has no Debian archive keyring, so that nothing from there could be trusted');
}

/**
 * The mirrors this machine's apt is configured for, likeliest first. A wrong one (another vendor's archive
 * that looks alike) does no harm: its signature is not Debian's.
 */
async function machineMirrors(aptGet: string): Promise<string[]> {
  const format = '$(CREATED_BY) $(COMPONENT) $(REPO_URI)';
  const lines = await runProgram(aptGet, ['indextargets', '--no-release-info', '--format', format], {
    timeoutMs: 60_000,
  });
  const mirrors = lines
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([createdBy, component]) => createdBy === 'Packages' && component === 'main')
    .map(([, , uri = '']) => uri)
    .filter((uri) => uri !== '' && !/-security\/?$/.test(uri));
  const likeliest = mirrors.filter((uri) => /\/debian\/?$/.test(uri));
  return [...new Set([...likeliest, ...mirrors])].slice(0, 3);
}

/** Bytes as a person reads them, such as `5.4 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
