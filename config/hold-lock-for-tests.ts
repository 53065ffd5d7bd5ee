import { allowInState } from './allowed.ts';
import { lockStateDirectory } from './state-lock.ts';

// A process of its own for the tests of locks: `hold DIR` takes the lock and stays; `allow DIR TEST...` allows them.
const [act, stateDirectory = '', ...tests] = process.argv.slice(2);
try {
  if (act === 'hold') {
    lockStateDirectory(stateDirectory);
    process.stdout.write('held\n');
    setInterval(() => {}, 1000);
  } else for (const test of tests) allowInState(stateDirectory, { test });
} catch (failure) {
  process.stdout.write(`${(failure as Error).message}\n`);
  process.exitCode = 2;
}
