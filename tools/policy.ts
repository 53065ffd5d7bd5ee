import picomatch from 'picomatch';
import type { ToolPolicy } from './tool.ts';

/** May it be done? If not, `reason` says why in words that a model can act on. */
export type Verdict = { allowed: true } | { allowed: false; reason: string };

const allowed: Verdict = { allowed: true };
const refused = (reason: string): Verdict => ({ allowed: false, reason });

/** May this role call this tool? */
export function mayCallTool(policy: ToolPolicy, role: string, name: string): Verdict {
  if (policy.tools.includes(name)) return allowed;
  return refused(
    `The role ${role} may not use ${name}. It may use: ${policy.tools.join(', ') || 'no tool'}.`,
  );
}

/**
 * May this program be started with these arguments? Patterns are compared argument by argument and never as
 * a prefix or as text: `*` stands for exactly one argument, `**` as the last word for any rest.
 */
export function mayStartProgram(policy: ToolPolicy, argv: string[]): Verdict {
  if (argv.length === 0 || argv[0] === '')
    return refused('No program was named. Give argv, e.g. ["npm", "test"].');
  if (argv.some((argument) => argument.includes('\0')))
    return refused('An argument holds the character NUL.');
  if (policy.programs.some((pattern) => matchesProgram(pattern, argv))) return allowed;
  const list = policy.programs.map((pattern) => pattern.join(' ')).join('; ');
  return refused(`${JSON.stringify(argv)} is not among the allowed programs: ${list || 'none'}.`);
}

function matchesProgram(pattern: string[], argv: string[]): boolean {
  // The program itself is always named: a pattern that begins with a wildcard would allow everything.
  if (pattern[0] === undefined || pattern[0] === '*' || pattern[0] === '**') return false;
  const endsOpen = pattern.at(-1) === '**';
  const fixed = endsOpen ? pattern.slice(0, -1) : pattern;
  if (endsOpen ? argv.length < fixed.length : argv.length !== fixed.length) return false;
  return fixed.every((word, position) => word === '*' || word === argv[position]);
}

/**
 * Brings a path as a model writes it to a path relative to the workspace, `''` for the workspace itself.
 * It looks at the text alone; where links lead is the business of `path.ts`.
 */
export function workspacePath(
  workspace: string,
  path: string,
): { allowed: true; path: string } | { allowed: false; reason: string } {
  if (path.includes('\0')) return { allowed: false, reason: 'The path holds the character NUL.' };
  let rest = path;
  if (path.startsWith('/')) {
    if (path !== workspace && !path.startsWith(`${workspace}/`)) {
      return {
        allowed: false,
        reason: `${path} is outside the workspace. Give a path relative to it, e.g. src/index.js.`,
      };
    }
    rest = path.slice(workspace.length);
  }
  const names = rest.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) {
    return {
      allowed: false,
      reason: `${path} holds "..". Give a path relative to the workspace without it.`,
    };
  }
  if (names.some(isGitName)) {
    return { allowed: false, reason: `${path} is inside git's own directory, which no tool may touch.` };
  }
  return { allowed: true, path: names.join('/') };
}

/** True where some file system takes this name for `.git`: case, trailing dots and spaces, streams, short names. */
export function isGitName(name: string): boolean {
  const plain = name
    // Code points that HFS+ leaves out when it compares names.
    .replaceAll(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, '')
    .toLowerCase()
    .replace(/:.*$/, '')
    .replace(/[. ]+$/, '');
  return plain === '.git' || plain === 'git~1';
}

/** The protected globs among which this path is, for a role that may not change them; undefined if none. */
export function protectedBy(policy: ToolPolicy, path: string): string | undefined {
  // Without regard to case, as some file systems have none.
  return policy.protect.find((glob) => picomatch.isMatch(path, glob, { dot: true, nocase: true }));
}

/** May this role change this file? `path` is the real one, relative to the workspace. */
export function mayChangeFile(policy: ToolPolicy, role: string, path: string): Verdict {
  if (path === '') return refused('The workspace itself is a directory. Name a file in it.');
  if (path.split('/').some((name) => name.toLowerCase() === 'node_modules')) {
    return refused(`${path} belongs to an installed dependency, which is not part of the change.`);
  }
  const glob = role === 'tester' ? undefined : protectedBy(policy, path);
  if (glob !== undefined) {
    return refused(
      `${path} is protected by the rule ${glob}: only the tester may change it. Change the code instead.`,
    );
  }
  return allowed;
}
