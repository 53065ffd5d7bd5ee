import { useRef } from 'react';
import type { Place } from '../model/place.ts';
import type { Link, Yard } from '../model/yard.ts';
import { useNow } from './use-clock.tsx';
import { SettingsDialog } from './settings.tsx';
import type { PreferenceState } from './use-preferences.tsx';
import { durationText } from '../../wording.ts';

/** Two tracks and a switch. */
const Mark = () => (
  <svg viewBox="0 0 40 24" className="h-6 w-10" fill="none" aria-hidden="true">
    <path d="M1 18h38M8 18C20 18 18 6 30 6h9" stroke="currentColor" strokeWidth="2.4" strokeLinecap="round" />
    <circle cx="33" cy="6" r="3.2" fill="var(--go)" stroke="var(--ground)" strokeWidth="1.5" />
  </svg>
);

interface HeaderProps {
  yard: Yard;
  place: Place;
  go(place: Place): void;
  preferences: PreferenceState;
}

export function Header({ yard, place, preferences }: HeaderProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <header className="flex items-center gap-x-2 border-b border-rail px-3 py-2 sm:gap-x-4 sm:px-5">
      <a
        href="#/tasks"
        className="flex items-center gap-2.5 text-ink no-underline"
        aria-label="Switchyard, all tasks"
      >
        <Mark />
        <span className="hidden text-base font-semibold tracking-tight sm:inline">Switchyard</span>
      </a>
      <nav aria-label="Views" className="flex gap-1">
        <NavLink href="#/tasks" isHere={place.view !== 'mesh'}>
          Tasks
        </NavLink>
        <NavLink href="#/mesh" isHere={place.view === 'mesh'}>
          Mesh
        </NavLink>
      </nav>
      <div className="ml-auto flex items-center gap-3">
        <LinkLamp link={yard.link} mesh={yard.mesh} />
        <button
          type="button"
          className="button"
          onClick={() => dialog.current?.showModal()}
          aria-haspopup="dialog"
        >
          <span className="max-sm:sr-only">Settings</span>
          <svg
            viewBox="0 0 16 16"
            className="size-4 sm:hidden"
            fill="none"
            stroke="currentColor"
            aria-hidden="true"
          >
            <path d="M1 4h14M1 8h14M1 12h14" />
            <path d="M5 2.5v3M11 6.5v3M4 10.5v3" strokeWidth="2.5" />
          </svg>
        </button>
      </div>
      <SettingsDialog dialog={dialog} preferences={preferences} />
    </header>
  );
}

function NavLink({ href, isHere, children }: { href: string; isHere: boolean; children: string }) {
  return (
    <a
      href={href}
      aria-current={isHere ? 'page' : undefined}
      className={`border-b-2 px-2 py-1.5 no-underline ${isHere ? 'border-ink font-semibold text-ink' : 'border-transparent text-soft hover:text-ink'}`}
    >
      {children}
    </a>
  );
}

/** `before`: what is read out, and shown where there is room. */
const lamps: Record<Link['phase'], { before?: string; word: string; tone: string; shape: string }> = {
  live: { word: 'live', tone: 'bg-go', shape: 'rounded-full' },
  demo: { word: 'demo data', tone: 'bg-caution', shape: 'rotate-45' },
  connecting: { word: 'connecting', tone: 'bg-lamp', shape: 'rounded-full lamp-at-work' },
  lost: { before: 'connection ', word: 'lost', tone: 'bg-stop', shape: '' },
  refused: { word: 'not let in', tone: 'bg-stop', shape: '' },
};

function LinkLamp({ link, mesh }: { link: Link; mesh: string }) {
  const { before, word, tone, shape } = lamps[link.phase];
  return (
    <span
      role="status"
      className="flex items-center gap-2 whitespace-nowrap text-soft"
      data-link={link.phase}
    >
      <span className={`inline-block size-2.5 ${tone} ${shape}`} aria-hidden="true" />
      <span>
        {before ? <span className="max-sm:sr-only">{before}</span> : null}
        {word}
        {link.phase === 'live' && mesh ? <span className="hidden sm:inline">, mesh {mesh}</span> : null}
      </span>
    </span>
  );
}

/** What is shown here must not be taken for a mesh. */
export function DemoRibbon({ isGenerated }: { isGenerated: boolean }) {
  return (
    <div className="border-b border-rail" data-testid="demo">
      <div className="hazard h-1" aria-hidden="true" />
      <p className="m-0 px-3 py-1.5 sm:px-5">
        <strong className="tone-warn">Demo data.</strong>{' '}
        {isGenerated
          ? 'Tasks that were made up to look at many of them. No mesh is behind this page.'
          : 'A real run, recorded, with scripted model replies; tasks called “Made up” are made out of it. No mesh is behind this page.'}
      </p>
    </div>
  );
}

/** A lost connection says so, and for how long; a refused one says what helps. */
export function LinkNotice({ link, hasTasks }: { link: Link; hasTasks: boolean }) {
  const now = useNow(link.phase === 'lost', 1000);
  if (link.phase === 'lost')
    return (
      <p role="alert" className="wash-warn m-0 border-b border-rail px-3 py-1.5 sm:px-5">
        <strong className="tone-warn">Connection lost</strong> for{' '}
        {durationText(Math.max(0, now - link.sinceMs))}: {link.why}. It is tried again by itself
        {hasTasks ? '; what you see is as it was, and nothing will be missing or twice once it is back' : ''}.
      </p>
    );
  if (link.phase === 'refused')
    return (
      <p role="alert" className="wash-bad m-0 border-b border-rail px-3 py-1.5 sm:px-5">
        <strong className="tone-bad">Not let in:</strong> {link.why}. Run <code>./switchyard dashboard</code>{' '}
        for a new link, or look at{' '}
        <a href="?demo" className="tone-accent underline">
          the demo data
        </a>
        .
      </p>
    );
  return null;
}
