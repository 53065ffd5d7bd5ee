import type { QueryReply } from '../../../schemas/query.ts';
import { Chip } from './sign.tsx';
import { clockText } from './numbers.ts';

interface DeadProps {
  letters: QueryReply<'dead'>['letters'];
  isDemo: boolean;
}

/** Messages that could not be handled, each with the command that puts it back. */
export function DeadLetters({ letters, isDemo }: DeadProps) {
  return (
    <section aria-label="Dead letters" className="panel px-4 py-3">
      <h2 className="m-0 text-base font-semibold">Dead letters</h2>
      {letters.length === 0 ? (
        <p className="m-0 mt-1 text-soft">
          {isDemo ? 'The recorded run had none.' : 'None: every message so far could be handled.'} A message
          that cannot is kept here with its reasons.
        </p>
      ) : (
        <ul className="m-0 mt-2 list-none space-y-3 p-0">
          {letters.map((one) => (
            <li key={one.messageId} className="border-l-2 border-stop pl-3">
              <Chip name="failed">given up</Chip> <span className="mono break-all">{one.subject}</span>{' '}
              <span className="text-soft">
                by {one.process} after {one.deliveries} deliveries, {clockText(one.atMs).slice(0, 8)}
              </span>
              {one.reasons.map((reason) => (
                <p key={reason} className="m-0 break-words">
                  {reason}
                </p>
              ))}
              <p className="m-0">
                To try it again: <code className="break-all">{one.retry}</code>
              </p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
