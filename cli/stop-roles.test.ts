import { expect, test } from 'vitest';
import type { Child } from '../bus/launcher.ts';
import { stopRoles } from './stop-roles.ts';

test('stop roles: says what it waits for, and the next Ctrl-C kills what is left', async () => {
  const stopped = Promise.withResolvers<void>();
  const signals: string[] = [];
  const coder = {
    program: 'coder',
    kill(signal: string) {
      signals.push(signal);
      stopped.resolve();
    },
  } as unknown as Child;
  let ctrlC = () => {};
  const said: string[] = [];
  const stopping = stopRoles(
    { children: () => [coder], stop: () => stopped.promise },
    { first: Promise.resolve(130), onNext: (act) => void (ctrlC = act) },
    (line) => said.push(line),
  );
  await expect.poll(() => said).toEqual([expect.stringMatching(/waiting .* coder .*Ctrl-C again/)]);
  ctrlC();
  await stopping;
  expect(signals).toEqual(['SIGKILL']);
});
