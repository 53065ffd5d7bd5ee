/** What `doctor` found of one thing. */
export interface Checked {
  name: string;
  /** `missing`: work cannot be done without it; `warning`: some work cannot, or less well. */
  state: 'ok' | 'warning' | 'missing';
  found: string;
  /** What to do about it. */
  mend?: string;
}

export const ok = (name: string, found: string): Checked => ({ name, state: 'ok', found });
export const warning = (name: string, found: string, mend: string): Checked => ({
  name,
  state: 'warning',
  found,
  mend,
});
export const missing = (name: string, found: string, mend: string): Checked => ({
  name,
  state: 'missing',
  found,
  mend,
});

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
