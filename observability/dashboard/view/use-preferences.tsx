import { useCallback, useEffect, useState } from 'react';

export type Theme = 'auto' | 'dark' | 'light';
/** Panels that most people need not see. */
export const flags = {
  events: 'All events: the record itself as a tab of a task',
  facts: 'Router facts: everything the router was given, as JSON',
  frames: 'Frame times: how long the page takes to draw',
} as const;
export type Flag = keyof typeof flags;

interface Preferences {
  theme: Theme;
  flags: Partial<Record<Flag, boolean>>;
}

const place = 'switchyard.dashboard';

function load(): Preferences {
  try {
    return {
      theme: 'auto',
      flags: {},
      ...(JSON.parse(localStorage.getItem(place) ?? '{}') as Partial<Preferences>),
    };
  } catch {
    return { theme: 'auto', flags: {} };
  }
}

/** What this browser remembers of its user. */
export function usePreferences() {
  const [preferences, set] = useState(load);
  const { theme } = preferences;
  useEffect(() => {
    try {
      localStorage.setItem(place, JSON.stringify(preferences));
    } catch {
      // It holds until the page is closed, then.
    }
  }, [preferences]);
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const show = () => {
      document.documentElement.dataset['theme'] =
        theme === 'auto' ? (dark.matches ? 'dark' : 'light') : theme;
    };
    show();
    dark.addEventListener('change', show);
    return () => dark.removeEventListener('change', show);
  }, [theme]);
  return {
    theme,
    flags: preferences.flags,
    setTheme: useCallback((next: Theme) => set((known) => ({ ...known, theme: next })), []),
    setFlag: useCallback(
      (flag: Flag, isOn: boolean) => set((known) => ({ ...known, flags: { ...known.flags, [flag]: isOn } })),
      [],
    ),
  };
}
export type PreferenceState = ReturnType<typeof usePreferences>;
