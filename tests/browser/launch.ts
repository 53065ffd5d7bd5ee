import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium, type Browser } from 'playwright-core';
import { root } from '../tree.ts';

const run = promisify(execFile);

/** A Chromium to look at the page with, or why there is none. */
export async function launchBrowser(): Promise<Browser | { missing: string }> {
  let executablePath: string;
  try {
    const { stdout } = await run(process.execPath, [join(root, 'setup/browser.mjs')], { timeout: 180_000 });
    executablePath = (JSON.parse(stdout) as { path: string }).path;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return { missing: (stderr || message).trim().split('\n').at(-1) ?? message };
  }
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--font-render-hinting=none',
      '--disable-gpu',
      // Nothing but this machine is asked, whatever a page says.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
    ],
  });
}

export const isMissing = (browser: Browser | { missing: string }): browser is { missing: string } =>
  'missing' in browser;
