/** What the keyboard does, as the settings list it and docs/dashboard.md has it. */
export const keys: readonly (readonly [key: string, what: string])[] = [
  ['↑ ↓ Home End', 'from row to row; Page Up and Down a screenful'],
  ['→ ←', 'open and close a run; to the next tab'],
  ['Enter', 'open a task, show a step'],
  ['← → on the scrubber', 'one event; Page Up and Down ten; Home and End'],
  ['Space on the scrubber', 'play and stop'],
  ['f, Shift+f', 'to the next failure, to the one before'],
  ['Tab, Escape', 'from part to part; out of a dialog'],
];
