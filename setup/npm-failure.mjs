/** What usually mends an npm error, by its code. */
const mends = [
  [
    /E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH|HOSTUNREACH|SOCKETTIMEOUT)/,
    'the package registry cannot be reached: check the network and what `npm config get registry` and `npm config get proxy` say',
  ],
  [
    /E(401|403)\b|ENEEDAUTH/,
    'the package registry refuses this user: run `npm login`, or correct the token in your .npmrc',
  ],
  [/E404\b/, 'the package registry does not have a package: check what `npm config get registry` says'],
  [/ENOSPC/, 'the disk is full: make room'],
  [
    /EACCES|EPERM/,
    'a file may not be written: make your user the owner of this folder and of what `npm config get cache` says',
  ],
  [/EROFS/, 'the disk is read-only: put Switchyard where your user may write'],
  [/EINTEGRITY/, 'a package arrived damaged or changed: run `npm cache clean --force`'],
  [
    /EUSAGE|can only install packages when your package\.json/,
    'package.json and package-lock.json do not fit together: run `npm install`, or `git checkout package.json package-lock.json`',
  ],
  [
    /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/,
    'the certificate of the registry or proxy is not trusted: set `npm config set cafile FILE`',
  ],
];

/** The end of what npm said, without passwords, and the likely mend. */
export function explainNpmFailure(output, code) {
  const said = output
    // npm shows the registry's address; a password may stand in it.
    .replace(/(:\/\/)[^/\s@]+@/g, '$1***@')
    .replace(/(_authToken|_auth|_password)\s*=\s*\S+/g, '$1=***')
    .split('\n')
    .map((line) => line.replace(/^npm (error|ERR!) ?/, '').trimEnd())
    .filter((line) => line !== '' && !/A complete log of this run/.test(line));
  const shown = said.slice(0, 12).map((line) => `    ${line}`);
  const mend = mends.find(([pattern]) => pattern.test(output))?.[1] ?? 'see what npm says above';
  return [`npm ci failed (exit code ${code}):`, ...shown, `  What to do: ${mend}; then run this again.`].join(
    '\n',
  );
}
