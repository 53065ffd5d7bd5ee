import type { ReactNode } from 'react';

/** Nothing is here yet: why, and what to do next. */
export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="mx-auto max-w-xl px-4 py-14 text-center">
      <div className="sleepers mx-auto mb-5 h-3 w-40" aria-hidden="true" />
      <h2 className="m-0 text-lg font-semibold">{title}</h2>
      <div className="mt-2 text-soft">{children}</div>
    </div>
  );
}
