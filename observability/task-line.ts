import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import type { Work } from '../schemas/work.ts';
import { span, type Span, type Words } from './span.ts';
import type { TaskView } from './task-view.ts';
import { countText, findingSpans, shortId, spendText, testsText } from './wording.ts';

/** What an event of the manager says. `view` is that after the event. */
export function taskLine(type: EventOf<'task'>, data: unknown, view: TaskView): Words {
  switch (type) {
    case 'task.accepted': {
      const accepted = data as DataOf<'task.accepted'>;
      const { path, branch, baseCommit } = accepted.repository;
      const plan =
        accepted.items.length === 0
          ? 'a planner divides it first'
          : countText(accepted.items.length, 'work item');
      const attendance = accepted.unattended ? '; unattended: it fails where it would need a person' : '';
      return {
        glyph: '▸',
        tone: 'accent',
        spans: [
          span('accepted: '),
          span(accepted.goal, 'accent', 160),
          span(`  (${plan}${attendance})`, 'dim'),
        ],
        details: [
          [
            span(`${path}, ${branch} at ${shortId(baseCommit)}`, 'dim'),
            ...(accepted.test ? [span(`, test: ${accepted.test}`, 'dim')] : []),
          ],
          ...accepted.notes.map((note) => [span(note, 'warn')]),
        ],
      };
    }
    case 'task.rejected': {
      const { reasons } = data as DataOf<'task.rejected'>;
      return {
        glyph: '✗',
        tone: 'bad',
        spans: [span('rejected', 'bad')],
        details: reasons.map((reason) => [span(reason, 'bad')]),
      };
    }
    case 'task.planned': {
      const { items, next } = data as DataOf<'task.planned'>;
      const wait = next ? [] : [span('; waits for a person to approve it', 'warn')];
      return {
        glyph: '▸',
        tone: 'accent',
        spans: [span(`planned ${countText(items.length, 'work item')}`), ...wait],
        details: [
          ...items.map((item, index) => [
            span(`${index + 1}. ${item.role}: `, 'dim'),
            span(item.goal, 'plain', 160),
          ]),
          ...(next || !view.pause ? [] : [[span(view.pause.mend, 'accent')]]),
        ],
      };
    }
    case 'task.handed_over': {
      const { commit, tests, next } = data as DataOf<'task.handed_over'>;
      const judged = tests ? [span(`, ${testsText(tests)}`, tests.testsPass ? 'good' : 'bad')] : [];
      return {
        glyph: '→',
        tone: 'accent',
        spans: [...handOver(next, view), span(`, commit ${shortId(commit)}`, 'dim'), ...judged],
      };
    }
    case 'task.revision_requested': {
      const { why, findings, next } = data as DataOf<'task.revision_requested'>;
      const what =
        why === 'review'
          ? `changes requested (${countText(findings.length, 'finding')})`
          : 'the tests are still red';
      return {
        glyph: '↺',
        tone: 'warn',
        spans: [span(what, 'warn'), span(`, ${cyclesText(next, view)}: `), ...handOver(next, view)],
        details: findings.map(findingSpans),
      };
    }
    case 'task.waiting': {
      const { role, mend } = data as DataOf<'task.waiting'>;
      return {
        glyph: '…',
        tone: 'warn',
        spans: [span(`waits: no live process of the role ${role}`, 'warn')],
        details: [[span(mend, 'accent')]],
      };
    }
    case 'task.paused': {
      const { kind, reason, mend, findings } = data as DataOf<'task.paused'>;
      return {
        glyph: '‖',
        tone: 'warn',
        spans: [span(`paused (${kind.replaceAll('_', ' ')}): `, 'warn'), span(reason)],
        details: [...findings.map(findingSpans), [span(mend, 'accent')]],
      };
    }
    case 'task.resumed': {
      const { answer, next } = data as DataOf<'task.resumed'>;
      return {
        glyph: '▸',
        tone: 'accent',
        spans: [span('resumed: '), ...handOver(next, view), span(`, ${cyclesText(next, view)}`, 'dim')],
        details: answer ? [[span('answer: ', 'dim'), span(answer)]] : [],
      };
    }
    case 'task.completed': {
      const { commit, branch, tests, findings } = data as DataOf<'task.completed'>;
      return {
        glyph: '✓',
        tone: 'good',
        spans: [
          span('completed', 'good'),
          ...(tests ? [span(`: ${testsText(tests)}`, 'good')] : []),
          span(`, ${spendText(view.spend)}`, 'dim'),
        ],
        details: [[span(`branch ${branch} at ${shortId(commit)}`, 'dim')], ...findings.map(findingSpans)],
      };
    }
    case 'task.failed': {
      const { kind, reason, findings = [], mend } = data as DataOf<'task.failed'>;
      const why = kind ? ` (${kind.replaceAll('_', ' ')})` : '';
      return {
        glyph: '✗',
        tone: 'bad',
        spans: [span(`failed${why}: `, 'bad'), span(reason)],
        details: [...findings.map(findingSpans), ...(mend ? [[span(mend, 'accent')]] : [])],
      };
    }
    case 'task.cancelled':
      return {
        glyph: '✗',
        tone: 'bad',
        spans: [span('cancelled: ', 'bad'), span((data as DataOf<'task.cancelled'>).reason)],
      };
  }
}

/** `coder takes item 1/2, hop 3/5`. */
function handOver(next: Work, view: TaskView): Span[] {
  const item =
    next.itemIndex < 0
      ? 'the planning'
      : `item ${next.itemIndex + 1}/${Math.max(next.itemCount, next.itemIndex + 1)}`;
  const limit = view.limits ? `/${view.limits.hops}` : '';
  return [span(next.role, 'accent'), span(` takes ${item}, hop ${next.hop}${limit}`)];
}

/** What is left of the review cycles that the task was given. */
export function cyclesText(next: Pick<Work, 'cyclesLeft'>, view: TaskView): string {
  return `review cycles left ${next.cyclesLeft}${view.limits ? `/${Math.max(view.limits.cycles, next.cyclesLeft)}` : ''}`;
}
