import { Command } from 'commander';
import { registerUp } from './up.ts';
const program = new Command();
program.option('--state <dir>').option('--config <file>').option('--json');
registerUp(program);
await program.parseAsync(process.argv);
