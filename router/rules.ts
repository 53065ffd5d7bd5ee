import type { Work } from '../schemas/work.ts';

/** A rule of `routes`: what it is for, and the models it takes. All that `when` gives must hold. */
export interface Rule {
  name: string;
  when: { role?: string; kind?: 'tests' | 'goal'; contextAbove?: number; tags?: string[] };
  models: string[];
  confidence: number;
  why: string;
}

/** About how many tokens a piece of work will want read: what is known of it, and the first files on top. */
export function contextEstimate(work: Work): number {
  const known = JSON.stringify([
    work.goal,
    work.acceptance,
    work.findings,
    work.notes,
    work.lastTests?.output,
  ]).length;
  return Math.ceil(known / 3.5) + 2000;
}

/** The rules that hold for a piece of work, in the operator's order. */
export function matchingRules(rules: Rule[], work: Work): Rule[] {
  const context = contextEstimate(work);
  return rules.filter(({ when }) => {
    if (when.role !== undefined && when.role !== work.role) return false;
    if (when.kind !== undefined && when.kind !== (work.goalIsTests ? 'tests' : 'goal')) return false;
    return when.contextAbove === undefined || context > when.contextAbove;
  });
}
