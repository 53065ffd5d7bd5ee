import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { builtName } from '../bus/program-file.ts';
import { checkoutRoot } from '../config/state.ts';

/** The built file of a program, by its source's path: what `./switchyard` starts. tests/global-setup.ts sees that it is there. */
export const builtProgram = (source: string): string =>
  join(realpathSync(join(checkoutRoot, 'node_modules/.switchyard/current')), builtName(source));
