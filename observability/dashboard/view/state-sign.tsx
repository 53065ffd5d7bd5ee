import type { TaskSummary } from '../../../schemas/query.ts';
import type { SignName } from '../model/signs.ts';
import { Chip, Glyph } from './sign.tsx';

const signOfState: Record<TaskSummary['state'], SignName> = {
  queued: 'queued',
  running: 'working',
  waiting: 'waits',
  paused: 'paused',
  completed: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
  rejected: 'failed',
};

export const StateChip = ({ state }: { state: TaskSummary['state'] }) => (
  <Chip name={signOfState[state]}>{state}</Chip>
);

/** In a list the word is plain and the sign alone has a colour. */
export const StateWords = ({ state }: { state: TaskSummary['state'] }) => (
  <span className="inline-flex items-center gap-1.5">
    <Glyph name={signOfState[state]} className={state === 'running' ? 'lamp-at-work' : ''} />
    {state}
  </span>
);
