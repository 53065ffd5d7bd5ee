import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Scene } from '../inference/backends/script.ts';
import { checkoutRoot } from '../config/state.ts';

export const slotsExample = join(checkoutRoot, 'docs/examples/meeting-slots');
export const slotsTest = 'node --test';

/** The demo's replies, without the pauses between their words. */
export function slotsScript(): Scene[] {
  const script = parse(readFileSync(join(slotsExample, 'script.yaml'), 'utf8')) as Scene[];
  return script.map((scene) => ({
    ...scene,
    replies: scene.replies.map((reply) => ({ ...reply, delayMs: 0 })),
  }));
}

/** A program with a fault, and the check that shows it. */
export const adder = {
  'add.js': 'export const add = (one, other) => one - other;\n',
  'check.js':
    "import { add } from './add.js';\nif (add(1, 2) !== 3) process.exit(1);\nconsole.log('right');\n",
  'package.json': '{ "type": "module" }\n',
};
export const adderTest = 'node check.js';
/** A goal that says this is planned with a tester. */
export const testerWanted = 'with a check more';

/**
 * Mends the adder: two edits out of one reply (so that one message has two steps), then the tests, then an approval.
 * The planner, where one is asked for, makes one item of it, or two where a tester is wanted too.
 */
export const adderScript: Scene[] = [
  {
    role: 'planner',
    whenPromptContains: testerWanted,
    replies: [
      {
        content: 'The sum first, then a check more.',
        toolCalls: [
          {
            name: 'finish',
            arguments: {
              items: [
                { role: 'coder', goal: 'Mend the sum' },
                { role: 'tester', goal: 'Check zero as well' },
              ],
            },
          },
        ],
        delayMs: 0,
      },
    ],
  },
  {
    role: 'tester',
    replies: [
      {
        content: 'Zero is an edge.',
        toolCalls: [
          {
            name: 'write-file',
            arguments: {
              path: 'zero-check.js',
              content: "import { add } from './add.js';\nif (add(0, 0) !== 0) process.exit(1);\n",
            },
          },
        ],
        delayMs: 0,
      },
      {
        content: 'Done.',
        toolCalls: [{ name: 'finish', arguments: { summary: 'Zero is checked.' } }],
        delayMs: 0,
      },
    ],
  },
  {
    role: 'planner',
    replies: [
      {
        content: 'One item will do.',
        toolCalls: [
          {
            name: 'finish',
            arguments: { items: [{ role: 'coder', goal: 'Mend the sum', acceptance: 'The check passes' }] },
          },
        ],
        delayMs: 0,
      },
    ],
  },
  {
    role: 'coder',
    replies: [
      {
        content: 'The sign is wrong; I leave a note as well.',
        toolCalls: [
          { name: 'edit-file', arguments: { path: 'add.js', find: 'one - other', replace: 'one + other' } },
          { name: 'write-file', arguments: { path: 'NOTES.md', content: 'The sum was a difference.\n' } },
        ],
        delayMs: 0,
      },
      {
        content: 'Done.',
        toolCalls: [{ name: 'finish', arguments: { summary: 'The sum is a sum.' } }],
        delayMs: 0,
      },
    ],
  },
  {
    role: 'reviewer',
    replies: [
      {
        content: 'Right.',
        toolCalls: [{ name: 'finish', arguments: { verdict: 'approve', summary: 'It adds.', findings: [] } }],
        delayMs: 0,
      },
    ],
  },
];

/** Thinks for about three seconds before it mends the sum. */
export const slowScene: Scene = {
  role: 'coder',
  whenPromptContains: 'slowly',
  replies: [
    {
      content: 'Let me think about it. '.repeat(6),
      toolCalls: [{ name: 'read-file', arguments: { path: 'add.js' } }],
      delayMs: 100,
    },
    ...adderScript.find((scene) => scene.role === 'coder')!.replies,
  ],
};
