import { useMemo } from 'react';
import type { DataOf } from '../../../schemas/catalogue.ts';
import { routingsOf, type Routing, type SeenModel } from '../model/routing.ts';
import type { TaskRecord } from '../model/task-record.ts';
import { Json, Part } from './parts.tsx';
import { Empty } from './empty.tsx';
import { clockText, dollars } from './numbers.ts';
import { Chip, Glyph, ScriptedChip } from './sign.tsx';

interface RouterProps {
  record: TaskRecord;
  cursor: number;
  areFactsShown: boolean;
}

/** Who was given the work, and why: each decision with what the router saw. */
export function RouterPanel({ record, cursor, areFactsShown }: RouterProps) {
  const all = useMemo(() => routingsOf(record.events), [record]);
  const routings = all.filter((one) => one.index <= cursor);
  if (routings.length === 0)
    return (
      <Empty title="The router has not been asked yet">
        It decides once for each run which role, pool and model does the work.
      </Empty>
    );
  return (
    <div className="grid items-start gap-3 lg:grid-cols-2 2xl:grid-cols-3">
      {routings.toReversed().map((one) => (
        <RoutingCard key={one.index} routing={one} areFactsShown={areFactsShown} record={record} />
      ))}
    </div>
  );
}

interface CardProps {
  routing: Routing;
  areFactsShown: boolean;
  record: TaskRecord;
  isPlain?: boolean;
}

export function RoutingCard({ routing, areFactsShown, record, isPlain = false }: CardProps) {
  const { role, confidence, choices, why, rule, pool, mode, isDecided, mend } = routing;
  const [first, ...fallbacks] = choices;
  return (
    <article className={isPlain ? 'mt-4' : 'panel p-4'}>
      <div className="flex flex-wrap items-center gap-2">
        <Chip name={isDecided ? 'done' : 'waits'}>{isDecided ? 'decided' : 'waits'}</Chip>
        <h2 className="m-0 text-base font-semibold">
          {role} → {first ? first.model : 'nobody yet'}
        </h2>
        {first?.backend === 'scripted' ? <ScriptedChip /> : null}
        <span className="mono ml-auto text-soft">{clockText(routing.atMs).slice(0, 8)}</span>
      </div>
      <p className="m-0 mt-2">{why}</p>
      {mend ? (
        <p className="m-0 mt-1">
          To go on: <code>{mend}</code>
        </p>
      ) : null}
      <dl className="m-0 mt-3 grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1">
        {confidence === undefined ? null : (
          <Row name="confidence">
            <span className="inline-flex w-full items-center gap-2">
              {confidence.toFixed(2)}
              <span className="relative h-2 max-w-40 flex-1 bg-[var(--bar-wait)]" aria-hidden="true">
                <span
                  className="absolute inset-y-0 left-0 bg-lamp"
                  style={{ width: `${confidence * 100}%` }}
                />
              </span>
            </span>
          </Row>
        )}
        {rule ? <Row name="rule">{rule}</Row> : null}
        {pool ? <Row name="pool">{pool}</Row> : null}
        {isDecided ? (
          <Row name="fallback">
            {fallbacks.length > 0
              ? fallbacks.map((one) => one.model).join(', then ')
              : 'none: there is no other model'}
          </Row>
        ) : null}
        {mode ? <Row name="mode">{mode}</Row> : null}
      </dl>
      <Part title="What it saw">
        <ul className="m-0 list-none space-y-2 p-0">
          {routing.seen.map((one) => (
            <Seen key={one.name} model={one} />
          ))}
        </ul>
      </Part>
      {areFactsShown ? (
        <Part title="All facts">
          <Json value={(record.events[routing.index]!.event.data as DataOf<'route.decided'>).given.facts} />
        </Part>
      ) : null}
    </article>
  );
}

function Row({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt className="text-soft">{name}</dt>
      <dd className="m-0">{children}</dd>
    </>
  );
}

function Seen({ model }: { model: SeenModel }) {
  const { name, choice, rejected, isAlive, breaker, slots, freeSlots, tokensPerSecond, tags } = model;
  const standing = choice === 0 ? 'chosen' : choice === undefined ? 'not taken' : `fallback ${choice}`;
  return (
    <li className="border-l-2 border-rail pl-3">
      <span className="flex flex-wrap items-center gap-x-2">
        <Glyph name={choice === 0 ? 'done' : choice === undefined ? 'denied' : 'retry'} />
        <strong>{name}</strong> <span className="text-soft">{standing}</span>
      </span>
      <span className="block text-soft">
        pool {model.pool || '?'}: {isAlive ? 'alive' : 'no live worker'}
        {breaker ? `, breaker ${breaker}` : ''}
        {slots === undefined ? '' : `, ${freeSlots} of ${slots} slots free`}
        {tokensPerSecond === undefined ? '' : `, ${tokensPerSecond.toFixed(1)} tokens/s`}
        {model.inputMicroDollars === undefined
          ? ''
          : `, ${dollars(model.inputMicroDollars)} in and ${dollars(model.outputMicroDollars ?? 0)} out a million tokens`}
      </span>
      {rejected ? <span className="block">{rejected}</span> : null}
      {tags.length > 0 ? (
        <span className="block text-soft">
          tags: <span className="mono">{tags.join(' ')}</span>
        </span>
      ) : null}
    </li>
  );
}
