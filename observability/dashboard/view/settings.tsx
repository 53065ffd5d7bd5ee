import type { RefObject } from 'react';
import { keys } from '../model/keys.ts';
import { flags, type Flag, type PreferenceState, type Theme } from './use-preferences.tsx';

const themes: [Theme, string][] = [
  ['auto', 'As the system'],
  ['dark', 'Dark'],
  ['light', 'Light'],
];

interface SettingsProps {
  dialog: RefObject<HTMLDialogElement | null>;
  preferences: PreferenceState;
}

export function SettingsDialog({ dialog, preferences }: SettingsProps) {
  return (
    <dialog
      ref={dialog}
      aria-labelledby="settings-title"
      className="panel m-auto w-[min(34rem,calc(100vw-2rem))] p-5 text-ink"
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
      onKeyDown={() => {}}
    >
      <h2 id="settings-title" className="m-0 text-lg font-semibold">
        Settings
      </h2>
      <fieldset className="mt-4 border-0 p-0">
        <legend className="label mb-1">Colours</legend>
        <div className="flex gap-4">
          {themes.map(([theme, word]) => (
            <label key={theme} className="flex items-center gap-1.5 py-1">
              <input
                type="radio"
                name="theme"
                checked={preferences.theme === theme}
                onChange={() => preferences.setTheme(theme)}
              />
              {word}
            </label>
          ))}
        </div>
      </fieldset>
      <fieldset className="mt-4 border-0 p-0">
        <legend className="label mb-1">Advanced panels</legend>
        {(Object.entries(flags) as [Flag, string][]).map(([flag, word]) => (
          <label key={flag} className="flex items-start gap-2 py-1">
            <input
              type="checkbox"
              className="mt-1"
              checked={preferences.flags[flag] ?? false}
              onChange={(event) => preferences.setFlag(flag, event.target.checked)}
            />
            {word}
          </label>
        ))}
      </fieldset>
      <h3 className="label mb-1 mt-4">Keys</h3>
      <dl className="m-0 gap-x-4 gap-y-1 sm:grid sm:grid-cols-[auto_1fr]">
        {keys.map(([key, what]) => (
          <div key={key} className="contents">
            <dt className="mono">{key}</dt>
            <dd className="m-0 text-soft max-sm:mb-1.5">{what}</dd>
          </div>
        ))}
      </dl>
      <div className="mt-5 text-right">
        <button type="button" className="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  );
}
