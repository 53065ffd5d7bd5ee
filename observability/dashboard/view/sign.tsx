import type { ReactNode } from 'react';
import { signs, type SignName } from '../model/signs.ts';

/** Each sign has a shape of its own: none is told by its colour alone. */
const shapes: Record<SignName, ReactNode> = {
  crash: <path d="M3 3l8 8M11 3l-8 8" />,
  resumed: <path d="M2 7a5 5 0 1 0 2-4M2 2v3h3" />,
  denied: (
    <>
      <circle cx="7" cy="7" r="5" />
      <path d="M4 7h6" />
    </>
  ),
  failed: (
    <>
      <rect x="2" y="2" width="10" height="10" />
      <path d="M5 5l4 4M9 5l-4 4" />
    </>
  ),
  retry: <path d="M3 11V6a3 3 0 0 1 3-3h6M9 0l3 3-3 3" />,
  waits: <path d="M3 2h8L7 7zM3 12h8L7 7z" />,
  changes: <path d="M11 11V8a3 3 0 0 0-3-3H2M5 2L2 5l3 3" />,
  paused: <path d="M4.5 2v10M9.5 2v10" strokeWidth="2.5" />,
  corrected: <path d="M7 2v6M7 11v.6" strokeWidth="2.2" />,
  late: (
    <>
      <circle cx="7" cy="7" r="5" />
      <path d="M7 4v3l2 2" />
    </>
  ),
  red: (
    <>
      <circle cx="7" cy="7" r="5.2" />
      <path d="M5 5l4 4M9 5l-4 4" />
    </>
  ),
  green: (
    <>
      <circle cx="7" cy="7" r="5.2" />
      <path d="M4.5 7.2l1.8 1.8 3.2-3.6" />
    </>
  ),
  approved: <path d="M2 7l3 3 2-2M6 10l6-7" />,
  done: <path d="M2.5 7.5l3 3 6-7" />,
  working: (
    <>
      <circle cx="7" cy="7" r="5" />
      <circle cx="7" cy="7" r="2" fill="currentColor" stroke="none" />
    </>
  ),
  queued: <circle cx="7" cy="7" r="4.6" strokeDasharray="2.4 2.2" />,
  given: <path d="M2 7h9M8 4l3 3-3 3" />,
  cancelled: <path d="M2 7h10" />,
};

/** A sign without its word: only where the word stands beside it. */
export function Glyph({ name, className = '' }: { name: SignName; className?: string }) {
  return (
    <svg
      viewBox="0 0 14 14"
      aria-hidden="true"
      className={`inline-block size-3.5 shrink-0 tone-${signs[name].tone} ${className}`}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      {shapes[name]}
    </svg>
  );
}

/** A sign with its word. */
export function Chip({ name, title, children }: { name: SignName; title?: string; children?: ReactNode }) {
  const { tone, word } = signs[name];
  return (
    <span
      className={`inline-flex h-5 shrink-0 items-center gap-1 rounded-sm px-1.5 text-xs font-medium wash-${tone} tone-${tone}`}
      title={title}
    >
      <Glyph name={name} className="size-3" />
      {children ?? word}
    </span>
  );
}

/** Replies that were written beforehand are named so wherever a model is. */
export function ScriptedChip() {
  return (
    <span
      className="inline-flex h-5 shrink-0 items-center rounded-sm border border-dashed border-caution px-1.5 text-xs tone-warn"
      title="These replies were written beforehand, not by a model"
    >
      scripted
    </span>
  );
}
