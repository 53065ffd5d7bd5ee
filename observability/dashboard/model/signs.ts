/** What happened to a piece of work, each with a sign of its own and a word: colour is never all there is. */
export const signs = {
  crash: { word: 'crashed', tone: 'bad' },
  resumed: { word: 'resumed', tone: 'good' },
  denied: { word: 'denied', tone: 'warn' },
  failed: { word: 'failed', tone: 'bad' },
  retry: { word: 'retried', tone: 'warn' },
  waits: { word: 'waited', tone: 'warn' },
  changes: { word: 'changes asked', tone: 'warn' },
  paused: { word: 'paused', tone: 'warn' },
  corrected: { word: 'unusable reply', tone: 'warn' },
  late: { word: 'late answer', tone: 'dim' },
  red: { word: 'tests red', tone: 'warn' },
  green: { word: 'tests green', tone: 'good' },
  approved: { word: 'approved', tone: 'good' },
  done: { word: 'done', tone: 'good' },
  working: { word: 'at work', tone: 'accent' },
  queued: { word: 'queued', tone: 'dim' },
  given: { word: 'handed over', tone: 'accent' },
  cancelled: { word: 'cancelled', tone: 'dim' },
} as const satisfies Record<string, { word: string; tone: 'good' | 'bad' | 'warn' | 'dim' | 'accent' }>;
export type SignName = keyof typeof signs;

/** What a person looks for first: the scrubber marks these, and `jump to failure` goes from one to the next. */
export const troubles: ReadonlySet<SignName> = new Set<SignName>([
  'crash',
  'denied',
  'failed',
  'retry',
  'waits',
  'changes',
  'paused',
  'corrected',
]);

/** Something of note, at a place in a task's events. */
export interface Incident {
  sign: SignName;
  /** Place in the task's events from 0. */
  index: number;
  atMs: number;
  text: string;
}
