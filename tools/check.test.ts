import { expect, test } from 'vitest';
import { checkSandbox, checkSearch } from './check.ts';

test('check: search is really started', async () => {
  expect(await checkSearch()).toMatchObject({ ok: true, found: expect.stringMatching(/^ripgrep \d/) });
});

test('check: where there is no sandbox the mend is named', async () => {
  expect(await checkSandbox(undefined)).toMatchObject({
    ok: false,
    found: expect.stringContaining('bubblewrap'),
    mend: expect.stringContaining('install bubblewrap'),
  });
  expect(await checkSandbox('/nonexistent/bwrap')).toMatchObject({
    ok: false,
    found: expect.stringContaining('/nonexistent/bwrap'),
  });
});
