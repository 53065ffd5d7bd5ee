import type { Launcher } from '../bus/launcher.ts';
import type { Interrupts } from './interrupts.ts';
import type { Say } from './mesh.ts';

const silenceMs = 700;

/** Stops the roles; says what it waits for where that takes a moment, and ends them at once at the next Ctrl-C. */
export async function stopRoles(
  launcher: Pick<Launcher, 'children' | 'stop'>,
  interrupts: Interrupts,
  say: Say,
): Promise<void> {
  const telling = setTimeout(() => {
    const roles = [...new Set(launcher.children().map((child) => child.program))].join(', ');
    say(
      `waiting up to 10 s for ${roles} to end what is in hand; Ctrl-C again ends it at once, and nothing is lost`,
    );
  }, silenceMs);
  interrupts.onNext(() => {
    for (const child of launcher.children()) child.kill('SIGKILL');
  });
  try {
    await launcher.stop();
  } finally {
    clearTimeout(telling);
  }
}
