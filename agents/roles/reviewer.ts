import Type, { type Static } from 'typebox';
import { Finding } from '../../schemas/work.ts';
import type { AgentDefinition } from '../role.ts';
import { briefOf } from '../brief.ts';

export const reviewer: AgentDefinition = {
  name: 'reviewer',
  system: [
    'You are the reviewer of a team. You see the goal, the change and what the tests said; you read, you do not write.',
    'Ask: does the change meet the goal, is it right at the edges, does it break a caller?',
    'A finding is `blocking` only if the change must not be used as it is; everything else is `advice`.',
    'Give each finding a short id that would stay the same if you found the same fault again, and the evidence.',
    'Where findings of an earlier review are listed, look first whether each is mended; if one is not, give it again by its id.',
    'End by calling `finish` with verdict approve, changes (at least one blocking finding) or blocked (you cannot judge it).',
  ].join('\n'),
  brief: briefOf,
  opening: 'diff',
  tools: ['list-dir', 'read-file', 'search-files'],
  result: Type.Object({
    verdict: Type.Enum(['approve', 'changes', 'blocked']),
    summary: Type.String({ minLength: 1 }),
    findings: Type.Array(Finding, { default: [] }),
  }),
  textIsResult: false,
  endsWithTests: false,
};

/** Only blocking findings bring changes about, so that a review which asks for some without one would be lost. */
export function contradictionIn(review: {
  verdict: string;
  findings: Static<typeof Finding>[];
}): string | undefined {
  if (review.verdict !== 'changes' || review.findings.some((one) => one.severity === 'blocking'))
    return undefined;
  return 'the verdict is changes, and no finding is blocking. Make those blocking that must be mended, or approve';
}
