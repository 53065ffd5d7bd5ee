import type { Work } from '../schemas/work.ts';

/** The first message of a run: the goal, what is known, and what the opening step brought. */
export function briefOf(work: Work, opening: string): string {
  return [
    `# Goal\n${work.goal}`,
    work.acceptance ? `# Done when\n${work.acceptance}` : '',
    work.test ? `# Test command\n${work.test}` : '',
    work.notes.length > 0 ? `# Notes\n${work.notes.join('\n')}` : '',
    work.findings.length > 0
      ? `# Findings of the last review\n${work.findings
          .map(
            (one) =>
              `- ${one.id} (${one.severity}${one.file ? `, ${one.file}${one.line ? `:${one.line}` : ''}` : ''}): ${one.evidence}`,
          )
          .join('\n')}`
      : '',
    work.lastTests
      ? `# Tests\n${work.lastTests.testsPass ? 'They pass.' : 'They fail.'}\n${work.lastTests.output}`
      : '',
    opening === '' ? '' : `# Where it stands\n${opening}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}
